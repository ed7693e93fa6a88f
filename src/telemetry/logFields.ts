import { Carried } from "./carried.js";

/** What a service wants to find in its lines; `requestId`, say. */
export type LogFields = Readonly<Record<string, string | number | boolean>>;

const fieldsOfWork = new Carried<LogFields>("log fields");

/**
 * Runs `work`, and every line that a container's operations log within carries `fields`: a request's id, say. Nested calls
 * add theirs. A line's own fields win over one of the same name.
 */
export function withLogFields<T>(fields: LogFields, work: () => T): T {
  return fieldsOfWork.run({ ...fieldsOfWork.value, ...fields }, work);
}

/** Runs `work`, whose lines carry `fields` and no others: for who was called back for somebody else. */
export function inLogFields<T>(fields: LogFields | undefined, work: () => T): T {
  return fieldsOfWork.run(fields ?? {}, work);
}

/** What is being worked for now. Drivers call back without it, so who logs later takes it along. */
export function currentLogFields(): LogFields | undefined {
  return fieldsOfWork.value;
}
