import { DataError } from "../errors.js";

/** The servers for tests and demo cannot be had; the message names what was tried and the ways out. */
export class ServicesUnavailableError extends DataError {
  readonly code = "ErrServicesUnavailable";
}

/** A private server did not start or did not answer; the message ends with the last lines it printed. */
export class ServerStartError extends DataError {
  readonly code = "ErrServerStart";
}

/** Another process took the port between choosing and binding it. */
export class PortTakenError extends ServerStartError {}
