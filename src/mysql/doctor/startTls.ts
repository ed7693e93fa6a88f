import { once } from "node:events";
import type { Socket } from "node:net";
import { type HandshakeOptions, type ShownCertificate, shakeHands } from "../../doctor/certificate.js";
import { DriverError, QueryError } from "../../errors.js";

/** Capabilities of the protocol: https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html */
const CLIENT_SSL = 0x800;
const CLIENT_PROTOCOL_41 = 0x200;
const CLIENT_SECURE_CONNECTION = 0x8000;
const CLIENT_PLUGIN_AUTH = 0x80000;
const WANTED = CLIENT_SSL | CLIENT_PROTOCOL_41 | CLIENT_SECURE_CONNECTION | CLIENT_PLUGIN_AUTH;
const MAX_PACKET_BYTES = 0x1000000;
const UTF8MB4_GENERAL_CI = 45;
const HEADER_BYTES = 4;
const SSL_REQUEST_BYTES = 32;
const PROTOCOL_VERSION = 10;
/** After the version's NUL: thread id, 8 bytes of salt, a filler. */
const BEFORE_CAPABILITIES = 13;

/**
 * The certificate that the server shows when TLS starts, which in MySQL's protocol is after its greeting; the driver shows it to nobody.
 * Nothing is sent but the wish for TLS.
 * @throws QueryError when it greets otherwise or offers no TLS
 */
export async function shownBy(socket: Socket, options: HandshakeOptions): Promise<ShownCertificate> {
  const onAbort = () => socket.destroy();
  options.signal.addEventListener("abort", onAbort, { once: true });
  try {
    requireTls(await greeting(socket, options.signal));
    socket.write(sslRequest());
    return await shakeHands(socket, options);
  } finally {
    options.signal.removeEventListener("abort", onAbort);
    socket.destroy();
  }
}

/** The first packet's payload; servers send nothing else before they are answered. */
async function greeting(socket: Socket, signal: AbortSignal): Promise<Buffer> {
  let received = Buffer.alloc(0);
  while (received.length < HEADER_BYTES || received.length < HEADER_BYTES + received.readUIntLE(0, 3)) {
    const ended = once(socket, "close", { signal }).then(() => {
      throw refused("The server ended the connection before it greeted", "PROTOCOL_CONNECTION_LOST");
    });
    ended.catch(() => undefined);
    const [chunk] = (await Promise.race([once(socket, "data", { signal }), ended])) as [Buffer];
    received = Buffer.concat([received, chunk]);
  }
  socket.pause();
  socket.removeAllListeners("data");
  return received.subarray(HEADER_BYTES);
}

function requireTls(payload: Buffer): void {
  if (payload[0] !== PROTOCOL_VERSION)
    throw refused("What answers there does not greet as MySQL does", "HANDSHAKE_UNKNOWN_ERROR");
  const at = payload.indexOf(0, 1) + 1 + BEFORE_CAPABILITIES;
  if ((payload.readUInt16LE(at) & CLIENT_SSL) === 0)
    throw refused("The server offers no TLS", "HANDSHAKE_NO_SSL_SUPPORT");
}

function sslRequest(): Buffer {
  const packet = Buffer.alloc(HEADER_BYTES + SSL_REQUEST_BYTES);
  packet.writeUIntLE(SSL_REQUEST_BYTES, 0, 3);
  packet.writeUInt8(1, 3);
  packet.writeUInt32LE(WANTED, HEADER_BYTES);
  packet.writeUInt32LE(MAX_PACKET_BYTES, HEADER_BYTES + 4);
  packet.writeUInt8(UTF8MB4_GENERAL_CI, HEADER_BYTES + 8);
  return packet;
}

function refused(message: string, driverCode: string): QueryError {
  return new QueryError(new DriverError(message, { driverCode }));
}
