/** What would one type into a shell to make this page change? */

import { h } from "./dom.js";

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** A curl that posts one order, with a button that copies it. */
export function orderCommand(customerId, currency = "USD") {
  const order = {
    type: "OrderPlaced",
    customer_id: customerId,
    order_id: `try-${Date.now().toString(36)}`,
    amount: "25.99",
    currency,
  };
  const key = "asksForKey" in document.body.dataset;
  const text = [
    `curl -X POST ${location.origin}/events`,
    ...(key ? [`  -H "authorization: Bearer $HEADWATER_API_KEY"`] : []),
    `  -H 'content-type: application/json'`,
    `  -d ${quote(JSON.stringify(order))}`,
  ].join(" \\\n");
  return copyable(text);
}

/** Text to be read, with a button that copies it. */
export function copyable(text) {
  const button = h("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  });
  return h("div", { class: "command" }, h("pre", { tabindex: "0" }, h("code", {}, text)), button);
}
