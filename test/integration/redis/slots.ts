import type { RedisCluster, RedisNode } from "../../../src/testing/index.js";

/** A master that is not the one given. */
export async function otherMaster(cluster: RedisCluster, { port }: RedisNode): Promise<RedisNode> {
  for (let i = 0; ; i += 1) {
    const master = await cluster.masterOf(`room-stream:other-${i}`);
    if (master.port !== port) return master;
  }
}

/** As `redis-cli --cluster reshard` does it; `halfWay` runs when the stream is at its new node and the slot is not. */
export async function moveSlot(from: RedisNode, to: RedisNode, stream: string, halfWay: () => Promise<unknown>) {
  const slot = Number(await from.call("CLUSTER", "KEYSLOT", stream));
  const [fromId, toId] = [String(await from.call("CLUSTER", "MYID")), String(await to.call("CLUSTER", "MYID"))];
  await to.call("CLUSTER", "SETSLOT", slot, "IMPORTING", fromId);
  await from.call("CLUSTER", "SETSLOT", slot, "MIGRATING", toId);
  await from.call("MIGRATE", to.host, to.port, stream, 0, 5_000);
  await halfWay();
  for (const node of [to, from]) await node.call("CLUSTER", "SETSLOT", slot, "NODE", toId);
}
