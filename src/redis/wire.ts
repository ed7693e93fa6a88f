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

/** Arguments one behind the other: what is the same in many commands need be encoded only once. */
export function join(...parts: readonly Encoded[]): Encoded {
  let count = 0;
  let text = "";
  for (const part of parts) {
    count += part.count;
    text += part.text;
  }
  return { count, text };
}

/** A whole command. */
export function commandText(name: string, first: string, options: Encoded, rest: Encoded): string {
  return `*${2 + options.count + rest.count}\r\n${bulk(name)}${bulk(first)}${options.text}${rest.text}`;
}
