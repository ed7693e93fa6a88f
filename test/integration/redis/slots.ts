import type { RedisCluster, RedisNode } from "../../../src/testing/index.js";

/** A master that is not the one given. */
export async function otherMaster(cluster: RedisCluster, { port }: RedisNode): Promise<RedisNode> {
  for (let i = 0; ; i += 1) {
    const master = await cluster.masterOf(`room-stream:other-${i}`);
    if (master.port !== port) return master;
  }
}

/**
 * As `redis-cli --cluster reshard` does it. `halfWay` runs when the stream is at its new node, and what is kept beside it and the slot
 * are not; `begun` when nothing is yet.
 */
export async function moveSlot(
  from: RedisNode,
  to: RedisNode,
  stream: string,
  halfWay: () => Promise<unknown>,
  begun: () => Promise<unknown> = async () => undefined,
) {
  const slot = Number(await from.call("CLUSTER", "KEYSLOT", stream));
  const [fromId, toId] = [String(await from.call("CLUSTER", "MYID")), String(await to.call("CLUSTER", "MYID"))];
  const move = (key: string) => from.call("MIGRATE", to.host, to.port, key, 0, 5_000);
  await to.call("CLUSTER", "SETSLOT", slot, "IMPORTING", fromId);
  await from.call("CLUSTER", "SETSLOT", slot, "MIGRATING", toId);
  await begun();
  await move(stream);
  await halfWay();
  for (const key of (await from.call("CLUSTER", "GETKEYSINSLOT", slot, 100)) as string[]) await move(key);
  for (const node of [to, from]) await node.call("CLUSTER", "SETSLOT", slot, "NODE", toId);
}
