import { type Logger as PinoLogger, pino } from "pino";

/** What this package needs of a logger; pino's, and most others', fit. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The default logger: one JSON object a line on standard output. pino escapes line breaks in foreign text. */
export function createLogger(options: { level?: string } = {}): Logger {
  const logger: PinoLogger = pino({ name: "doordarshan-data", level: options.level ?? "info" });
  return logger;
}

/** For what is made without one. */
export const NO_LOGGER: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
