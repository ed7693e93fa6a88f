/** So many calls, made by so many callers. */
export function round(call: (i: number) => Promise<unknown>, calls: number, callers: number): Promise<unknown> {
  let next = 0;
  const caller = async () => {
    while (next < calls) {
      next += 1;
      await call(next - 1);
    }
  };
  return Promise.all(Array.from({ length: callers }, caller));
}
