/** Arguments of a command as they go over the wire, ready to be sent. */
export interface Encoded {
  readonly count: number;
  readonly text: string;
}

/** One argument as it goes over the wire. */
export function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

export function encode(args: readonly string[]): Encoded {
  return { count: args.length, text: args.map(bulk).join("") };
}

/** A whole command. Its arguments come in parts, so that what is the same in many commands need be encoded only once. */
export function commandText(name: string, ...parts: readonly Encoded[]): string {
  let count = 1;
  let text = "";
  for (const part of parts) {
    count += part.count;
    text += part.text;
  }
  return `*${count}\r\n${bulk(name)}${text}`;
}
