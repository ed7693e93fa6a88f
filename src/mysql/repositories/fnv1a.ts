const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/** FNV-1a, 32 bit, of the UTF-8 bytes of `text`; at least 0. What running services choose consumer routers by. */
export function fnv1a32(text: string): number {
  let hash = OFFSET_BASIS;
  for (const byte of Buffer.from(text, "utf8")) hash = Math.imul(hash ^ byte, PRIME);
  return hash >>> 0;
}
