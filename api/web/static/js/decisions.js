/** What does an event about a decision say, in words? */

import { words } from "./format.js";

export const VERDICTS = {
  send: "all checks passed",
  holdout: "held out, to compare with",
  expired: "older than the trigger's max_age",
  condition_false: "its condition was not true",
  condition_error: "its condition had no answer",
  no_consent: "nobody may write to them",
  capped: "told often enough already",
  quiet: "in the customer's quiet hours",
  declined: "a person said no, or nobody yes",
  waiting: "for quiet hours to end, or for a person",
};

/** From what to what: `Active → At risk`, or only to what, where there was nothing before. */
export function change({ before, after }) {
  return [before, after].filter(Boolean).map(words).join(" → ");
}

const times = (number) => (number === 1 ? "1 attempt" : `${number} attempts`);

const SAID = {
  TriggerDecided: (event) => [`${event.trigger}: ${words(event.verdict).toLowerCase()}`, event.reason],
  DecisionDeferred: (event) => [`${event.trigger}: waits for ${words(event.waits_for).toLowerCase()}`, event.reason],
  DecisionReviewed: (event) => [`${event.trigger}: ${event.reviewer ?? "somebody"} said ${event.approved ? "yes" : "no"}`, event.comment],
  DeliveryAttempted: (event) => [`${event.trigger}: ${event.succeeded ? "taken" : "failed"}`, `attempt ${event.attempt} at ${event.endpoint}`,
    event.succeeded ? null : event.error ?? (event.status ? `HTTP ${event.status}` : "no answer")],
  DeliverySucceeded: (event) => [`${event.trigger}: delivered`, `after ${times(event.attempts)}`],
  DeliveryAbandoned: (event) => [`${event.trigger}: ${event.why === "parked" ? "parked" : "not sent after all"}`, event.reason],
  DeliveryRedriven: (event) => [`${event.trigger}: tried again`, event.requested_by && `by ${event.requested_by}`],
};

/** The gist of such an event, in parts; null of any other. */
export const inWords = (event) => SAID[event.type]?.(event).filter(Boolean) ?? null;
