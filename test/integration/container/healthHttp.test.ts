import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { parse } from "yaml";
import { type Container, healthHandler, healthResponse } from "../../../src/index.js";
import {
  createDatabase,
  type MysqlServer,
  type RedisServer,
  startMysqlServer,
  startRedisServer,
} from "../../../src/testing/index.js";
import { lateness } from "../redis/openClient.js";
import { makeContainer, untilHealth } from "./healthOf.js";

const PATHS = ["/livez", "/readyz", "/healthz"];

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
  readonly timeoutSeconds: number;
}

describe("health over HTTP", function () {
  this.timeout(120_000);
  let mysql: MysqlServer;
  let redis: RedisServer;
  let environment: Record<string, string>;
  let container: Container;
  let server: Server;

  before(async () => {
    [mysql, redis] = await Promise.all([startMysqlServer(), startRedisServer()]);
    ({ environment } = await createDatabase({ ...mysql.environment, ...redis.environment }));
  });
  after(() => Promise.all([mysql?.stop(), redis?.stop()]));

  beforeEach(async () => {
    container = makeContainer(environment);
    server = await listen(healthHandler(container));
  });
  afterEach(async () => {
    server.close();
    await container.stop();
  });

  async function listen(handler: RequestListener): Promise<Server> {
    const listening = createServer(handler).listen(0, "127.0.0.1");
    await once(listening, "listening");
    return listening;
  }

  async function ask(path: string, method = "GET", on = server) {
    const { port } = on.address() as AddressInfo;
    const asking = request({ host: "127.0.0.1", port, path, method, agent: false }).end();
    const [response] = await once(asking, "response");
    let body = "";
    for await (const chunk of response) body += chunk;
    return { status: response.statusCode as number, headers: response.headers, body };
  }

  const statuses = async () => {
    const answers = await Promise.all(PATHS.map((path) => ask(path)));
    return answers.map(({ status }) => status);
  };

  it("answers 200 and 503 through a container's life", async () => {
    expect(await statuses(), "new").to.deep.equal([200, 503, 503]);
    await container.start();
    expect(await statuses(), "ready").to.deep.equal([200, 200, 200]);
    await container.stop();
    expect(await statuses(), "stopped").to.deep.equal([503, 503, 503]);
  });

  it("answers 503 for readiness alone while a store is down", async () => {
    await container.start();
    await redis.kill();
    expect(await statuses()).to.deep.equal([200, 503, 503]);
    const { problems } = JSON.parse((await ask("/readyz")).body);
    expect(problems).to.have.length(1);
    expect(problems[0])
      .to.match(/^Redis: .+/)
      .and.not.include("\n");
    await redis.restart();
    await untilHealth(container, ({ ready }) => ready);
    expect(await statuses()).to.deep.equal([200, 200, 200]);
  });

  it("tells what each path is for, as JSON that is not kept", async () => {
    await container.start();
    const [live, ready, whole] = await Promise.all(PATHS.map((path) => ask(path)));
    for (const answer of [live, ready, whole]) {
      expect(answer?.headers).to.include({
        "cache-control": "no-store",
        "content-type": "application/json; charset=utf-8",
        "content-length": String(Buffer.byteLength(answer?.body ?? "")),
      });
    }
    expect(JSON.parse(live?.body ?? "")).to.deep.equal({ live: true, state: "ready" });
    expect(JSON.parse(ready?.body ?? "")).to.deep.equal({ ready: true, state: "ready", problems: [] });
    const { mysql: told, redis: toldToo } = JSON.parse(whole?.body ?? "");
    expect([told.status, told.schema.pending, toldToo.status, toldToo.role]).to.deep.equal(["up", 0, "up", "master"]);
  });

  it("shows no secret", async () => {
    await container.start();
    await mysql.kill();
    const { body } = await ask("/healthz");
    await mysql.restart();
    expect(JSON.parse(body).mysql.status).to.equal("down");
    expect(body).to.not.include(environment.MYSQL_PASSWORD as string);
  });

  it("answers HEAD without a body, and any other method with 405", async () => {
    for (const path of PATHS) {
      const [head, get] = [await ask(path, "HEAD"), await ask(path)];
      expect(head).to.include({ status: get.status, body: "" });
      expect(Number(head.headers["content-length"])).to.be.above(0);
    }
    const post = await ask("/readyz", "POST");
    expect(post).to.deep.include({ status: 405 });
    expect(post.headers).to.include({ allow: "GET, HEAD", "cache-control": "no-store" });
  });

  it("takes a query for none of the path, and knows no other path", async () => {
    expect(await ask("/livez?verbose")).to.include({ status: 200 });
    for (const path of ["/", "/livez/", "/constructor", "/__proto__", "//", "*"])
      expect(await ask(path), path).to.include({ status: 404 });
  });

  it("survives a prober that hangs up before the answer", async () => {
    const probes = healthHandler(container);
    let answered: Promise<void> | undefined;
    const app = await listen((incoming, response) => {
      answered = probes(incoming, response);
    });
    await container.start();
    await redis.pause();
    const { port } = app.address() as AddressInfo;
    const asking = request({ host: "127.0.0.1", port, path: "/readyz", agent: false }).end();
    asking.on("error", () => undefined);
    const [{ socket }] = await once(app, "request");
    const gone = new Promise((resolve) => socket.once("close", resolve));
    asking.destroy();
    await gone;
    await redis.resume();
    await answered;
    expect((await ask("/livez", "GET", app)).status).to.equal(200);
    app.close();
  });

  it("leaves other paths to the handler after it, as express wants", async () => {
    const probes = healthHandler(container);
    const app = await listen((incoming, response) => {
      void probes(incoming, response, () => response.writeHead(418).end());
    });
    expect((await ask("/meetings", "POST", app)).status).to.equal(418);
    expect((await ask("/livez", "GET", app)).status).to.equal(200);
    app.close();
  });

  it("is what the Kubernetes manifest of docs/health.md probes", async () => {
    const guide = readFileSync(new URL("../../../docs/health.md", import.meta.url), "utf8");
    const [, manifest] = /^```yaml\n([\s\S]*?)^```$/m.exec(guide) ?? [];
    const { spec } = parse(manifest ?? "").spec.template;
    const [pod] = spec.containers;
    const probes: Record<string, Probe> = {
      startup: pod.startupProbe,
      liveness: pod.livenessProbe,
      readiness: pod.readinessProbe,
    };
    await container.start();
    for (const [name, { httpGet }] of Object.entries(probes)) {
      expect(await healthResponse(container, httpGet.path), name).to.include({ status: 200 });
      expect(pod.ports.map((port: { name: string }) => port.name)).to.include(httpGet.port);
    }
    // While Redis is silent its answer takes 2 s, and is worth waiting for; liveness has to stay what it is.
    await redis.pause();
    const asking = healthResponse(container, String(probes.readiness?.httpGet.path));
    const late = await lateness(asking, Number(probes.readiness?.timeoutSeconds) * 1_000);
    const { status } = await asking;
    const alive = await healthResponse(container, String(probes.liveness?.httpGet.path));
    await redis.resume();
    expect([status, alive.status]).to.deep.equal([503, 200]);
    expect(late).to.be.below(0);
    // The default of stopTimeoutMs.
    expect(spec.terminationGracePeriodSeconds * 1_000).to.be.above(5_000);
  });
});
