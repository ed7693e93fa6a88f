import type { IncomingMessage, ServerResponse } from "node:http";
import type { Container } from "../container.js";
import { isLive } from "./verdict.js";

/** An answer for any web framework. */
export interface HealthResponse {
  readonly status: 200 | 404 | 405 | 503;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON. */
  readonly body: string;
}

/** Fits `node:http`'s `createServer` and express' `app.use`. */
export type HealthHandler = (request: IncomingMessage, response: ServerResponse, next?: () => void) => Promise<void>;

type Probed = Pick<Container, "state" | "health">;

const HEADERS = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" } as const;

/** What each path tells, and whether it is well. */
const REPORTS: Readonly<Record<string, (container: Probed) => Promise<{ well: boolean; report: object }>>> = {
  "/livez": async ({ state }) => ({ well: isLive(state), report: { live: isLive(state), state } }),
  "/readyz": async (container) => {
    const { ready, state, problems } = await container.health();
    return { well: ready, report: { ready, state, problems } };
  },
  "/healthz": async (container) => {
    const health = await container.health();
    return { well: health.ready, report: health };
  },
};

/**
 * What to answer a GET or HEAD of `path` (without its query): 200 when all is well, else 503. `/livez` tells whether to keep the
 * process and asks no store, `/readyz` whether to send it work and why not, `/healthz` all of `container.health()` by the rule of
 * `/readyz`. 404 for any other path. Never rejects. Show it to the operators' network only.
 */
export async function healthResponse(container: Probed, path: string): Promise<HealthResponse> {
  const ask = Object.hasOwn(REPORTS, path) ? REPORTS[path] : undefined;
  if (!ask) return answer(404, { error: `only ${Object.keys(REPORTS).join(", ")}` });
  const { well, report } = await ask(container);
  return answer(well ? 200 : 503, report);
}

/**
 * Answers as `healthResponse` says, anything but GET and HEAD with 405. Given a `next`, as express does, it leaves other paths to that.
 */
export function healthHandler(container: Probed): HealthHandler {
  return async (request, response, next) => {
    const [path = ""] = (request.url ?? "").split("?", 1);
    if (next && !Object.hasOwn(REPORTS, path)) {
      next();
      return;
    }
    const { status, headers, body } = isRead(request) ? await healthResponse(container, path) : NOT_ALLOWED;
    response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) });
    // Node.js leaves the body out of the answer to a HEAD.
    response.end(body);
  };
}

function isRead({ method }: IncomingMessage): boolean {
  return method === "GET" || method === "HEAD";
}

function answer(status: HealthResponse["status"], report: object): HealthResponse {
  return { status, headers: HEADERS, body: `${JSON.stringify(report)}\n` };
}

const refusal = answer(405, { error: "only GET and HEAD" });
const NOT_ALLOWED: HealthResponse = { ...refusal, headers: { ...refusal.headers, allow: "GET, HEAD" } };
