import type { MysqlConfig } from "../../config/types.js";
import { Carried } from "../../telemetry/carried.js";
import type { Instruments } from "../../telemetry/instruments.js";
import type { SpanOptions } from "../../telemetry/telemetry.js";

const operationOfWork = new Carried<string>("operation");

/** Which operation sends statements now, as `meetings.describe`; known only while somebody measures or traces. */
export function currentOperation(): string | undefined {
  return operationOfWork.value;
}

/** Runs `work`; what it sends is counted as of the operation `name`. */
export function asOperation<T>(name: string, work: () => Promise<T>): Promise<T> {
  return operationOfWork.run(name, work);
}

/** Gives operations their name, for metrics, and a span. */
export class Operations {
  readonly #instruments: Instruments;
  readonly #place: SpanOptions["attributes"];

  constructor(instruments: Instruments, config: MysqlConfig) {
    this.#instruments = instruments;
    this.#place = placeOf(config);
  }

  /** Whether anybody wants to know. */
  get observed(): boolean {
    return this.#instruments.measuring || this.#instruments.tracer !== undefined;
  }

  /** What runs work as the operation `<room>.<method>`. */
  named(room: string, method: string): <T>(work: () => Promise<T>) => Promise<T> {
    const name = `${room}.${method}`;
    const options = this.#spanOptions({ "db.operation.name": method, "db.query.summary": name });
    return (work) => this.#instruments.span(name, options, () => asOperation(name, work));
  }

  /** Runs work of the caller's, which has no operation's name, in a span. */
  traced<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#instruments.tracer ? this.#instruments.span(name, this.#spanOptions({}), work) : work();
  }

  #spanOptions(attributes: SpanOptions["attributes"]): SpanOptions {
    return { kind: "client", attributes: { ...this.#place, ...attributes } };
  }
}

/** Where the database is, as spans say it. */
export function placeOf({ address, database }: MysqlConfig): SpanOptions["attributes"] {
  const server =
    "socketPath" in address
      ? { "server.address": address.socketPath }
      : { "server.address": address.host, "server.port": address.port };
  return { "db.system.name": "mysql", "db.namespace": database, ...server };
}
