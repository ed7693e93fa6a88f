import type { MysqlConfig } from "../../config/types.js";
import type { DataError } from "../../errors.js";
import type { Instruments } from "../../telemetry/instruments.js";
import { currentLogFields, inLogFields, type LogFields } from "../../telemetry/logFields.js";
import { METRICS } from "../../telemetry/metrics.js";
import type { SlowLines } from "../../telemetry/slowLines.js";
import type { SpanOptions } from "../../telemetry/telemetry.js";
import { errorType } from "./errorType.js";
import { currentOperation, placeOf } from "./operations.js";
import { operationName, statementSummary } from "./statementSummary.js";

/** What is known of a statement when it is sent. The driver answers in another context, so it is taken along. */
export interface SentStatement {
  readonly sql: string;
  readonly sentAt: number;
  readonly operation: string | undefined;
  readonly fields: LogFields | undefined;
}

/** Measures every statement of a pool, TypeORM's included, and tells of slow ones. */
export class StatementWatch {
  readonly #place: SpanOptions["attributes"];

  constructor(
    private readonly instruments: Instruments,
    private readonly slow: SlowLines,
    config: MysqlConfig,
  ) {
    this.#place = placeOf(config);
  }

  /** Whether anybody wants spans. */
  get tracing(): boolean {
    return this.instruments.tracer !== undefined;
  }

  /** Runs `work`, which sends a statement: in a span, if somebody wants spans and it is not of an operation that has one. */
  traced<T>(sql: string, work: () => Promise<T>): Promise<T> {
    const { tracer } = this.instruments;
    if (!tracer || currentOperation() !== undefined) return work();
    const summary = statementSummary(sql);
    const attributes = { ...this.#place, "db.operation.name": operationName(sql), "db.query.summary": summary };
    return tracer.span(summary, { kind: "client", attributes }, work);
  }

  /** Undefined when nobody wants to know. */
  sent(sql: string): SentStatement | undefined {
    if (!this.instruments.measuring && this.slow.thresholdMs === Number.POSITIVE_INFINITY) return undefined;
    return { sql, sentAt: performance.now(), operation: currentOperation(), fields: currentLogFields() };
  }

  over(statement: SentStatement, failure?: DataError): void {
    const ms = performance.now() - statement.sentAt;
    if (this.instruments.measuring) this.#measure(statement, ms, failure);
    if (ms >= this.slow.thresholdMs) this.#tell(statement, ms, failure);
  }

  #measure({ sql, operation }: SentStatement, ms: number, failure: DataError | undefined): void {
    this.instruments.record(METRICS.operationDuration, ms / 1_000, {
      "db.system.name": "mysql",
      "db.operation.name": operationName(sql),
      "db.query.summary": operation ?? statementSummary(sql),
      ...(failure && { "error.type": errorType(failure) }),
    });
  }

  #tell({ sql, operation, fields }: SentStatement, ms: number, failure: DataError | undefined): void {
    const summary = statementSummary(sql);
    inLogFields(fields, () => this.slow.tell(operation ? `${operation} ${summary}` : summary, ms, failure));
  }
}
