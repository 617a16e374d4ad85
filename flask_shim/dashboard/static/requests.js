// The last hundred requests.

import { fillTable } from "./dom.js";
import { UNKNOWN, clockTime, count, duration, rate } from "./format.js";
import { clientName, machineOf } from "./overview.js";

export const paths = () => ["requests"];

const ENDED = [
  (request) => [clockTime(request.ended_at), request.id],
  (request) => [clientName(request), request.client_address],
  (request) => [request.model || UNKNOWN, [request.route, machineOf(request)].filter(Boolean).join(" on ")],
  (request) => [request.outcome, request.error ?? "", request.outcome === "done" ? "" : "bad"],
  (request) => [count(request.prompt_tokens), request.cached_tokens ? `${count(request.cached_tokens)} cached` : ""],
  (request) => count(request.output_tokens),
  (request) => rate(request.prefill_tokens_per_second),
  (request) => rate(request.decode_tokens_per_second),
  (request) => duration(request.time_to_first_token_seconds),
  (request) => duration(request.age_seconds),
];

export function render({ running, ended }) {
  fillTable("ended", ended, (request) => request.id, ENDED, "No request has ended yet.");
  return running.length > 0;
}
