/** What does the engine answer, and what does it say when it cannot? */

/** An RFC 9457 problem, or the nearest thing to one when the engine is not there to write it. */
export class Problem extends Error {
  constructor({ title, detail, status, errors }) {
    super(detail ?? title);
    this.errors = errors ?? [];
    this.title = title ?? `The engine answered ${status}`;
    this.detail = detail ?? "";
    this.status = status ?? 0;
  }
}

const UNREACHABLE = {
  title: "The engine does not answer",
  detail: "Check that headwater serve is running; this page catches up by itself when it is back.",
};

const UNAUTHORIZED = 401;

/** GET a JSON answer; throws a Problem, or an AbortError when `signal` aborts. Without a session, to the sign-in page. */
export async function get(path, { signal } = {}) {
  const response = await ask(path, { signal, headers: { accept: "application/json" } });
  if (response.ok) return response.json();
  if (response.status === UNAUTHORIZED) return signIn();
  throw await problemOf(response);
}

/** POST JSON that is answered without content; throws a Problem. */
export async function post(path, body) {
  const response = await send(path, body);
  if (!response.ok) throw await problemOf(response);
}

/** POST JSON that is answered with JSON; as `get` in all else. */
export const exchange = async (path, body, { signal } = {}) => (await answered(path, body, signal)).json();

/** POST JSON that is answered with a file; as `get` in all else. */
export const download = async (path, body) => (await answered(path, body)).blob();

async function answered(path, body, signal) {
  const response = await send(path, body, signal);
  if (response.ok) return response;
  if (response.status === UNAUTHORIZED) return signIn();
  throw await problemOf(response);
}

const send = (path, body, signal) => ask(path, { method: "POST", signal,
  headers: { accept: "application/json", "content-type": "application/json" }, body: JSON.stringify(body) });

async function ask(path, request) {
  try {
    return await fetch(path, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(UNREACHABLE);
  }
}

async function problemOf(response) {
  const body = await response.json().catch(() => ({}));
  return new Problem({ ...body, status: response.status });
}

/** Leave for the sign-in page, which leads back; nothing follows here. */
function signIn() {
  const next = location.pathname + location.search + location.hash;
  location.replace(`/sign-in?${new URLSearchParams({ next })}`);
  return new Promise(() => {});
}

export const customerPath = (id) => `/customers/${encodeURIComponent(id)}`;
export const reportPath = (name) => `/reports/${encodeURIComponent(name)}`;
export const reportPage = (name) => `/ui/reports/${encodeURIComponent(name)}`;
/** The page that makes a report, with its form; of a saved one, `changes` is {name, title, version}. */
export const builderPage = (form, changes = null) =>
  `/ui/reports/new#${new URLSearchParams({ form: JSON.stringify(form), ...(changes && { changes: JSON.stringify(changes) }) })}`;
export const customerPage = (id) => `/ui/customers/${encodeURIComponent(id)}`;
