# How does Headwater run in a container? One image for every process on Kafka; docker-compose.yml says which.
# The tag is exact. To pin what is behind it too, write python:TAG@DIGEST, with the digest that
# `docker buildx imagetools inspect python:TAG` prints.
FROM python:3.11.15-slim-bookworm AS base

FROM base AS build
WORKDIR /build
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock ./
# chDB is of the embedded engine, which is not needed: here ClickHouse is a server.
RUN pip install --require-hashes -r requirements.lock \
    && pip uninstall -y chdb chdb-core
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY projections projections
COPY streams streams
COPY history history
COPY api api
COPY cli cli
RUN pip install --no-deps --no-build-isolation .

FROM base
RUN groupadd --gid 10001 headwater \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin headwater \
    && install -d -o headwater -g headwater -m 700 /data
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 HEADWATER_DATA_DIR=/data HEADWATER_HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
# Whether it is alive, without a proxy that the environment may name; docker-compose.yml asks whether it is ready.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open('http://127.0.0.1:8000/healthz', timeout=8)"]
ENTRYPOINT ["headwater"]
CMD ["--help"]
