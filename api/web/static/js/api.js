/** What does the engine answer, and what does it say when it cannot? */

/** An RFC 9457 problem, or the nearest thing to one when the engine is not there to write it. */
export class Problem extends Error {
  constructor({ title, detail, status }) {
    super(detail ?? title);
    this.title = title ?? `The engine answered ${status}`;
    this.detail = detail ?? "";
    this.status = status ?? 0;
  }
}

const UNREACHABLE = {
  title: "The engine does not answer",
  detail: "Check that headwater serve is running; this page catches up by itself when it is back.",
};

/** GET a JSON answer; throws a Problem, or an AbortError when `signal` aborts. */
export async function get(path, { signal } = {}) {
  let response;
  try {
    response = await fetch(path, { signal, headers: { accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(UNREACHABLE);
  }
  if (response.ok) return response.json();
  const body = await response.json().catch(() => ({}));
  throw new Problem({ ...body, status: response.status });
}

export const customerPath = (id) => `/customers/${encodeURIComponent(id)}`;
export const customerPage = (id) => `/ui/customers/${encodeURIComponent(id)}`;
