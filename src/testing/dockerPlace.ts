import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import type { ContainerRuntimeClient, StartedTestContainer } from "testcontainers";
import { ServerStartError } from "./errors.js";
import { Output, type Place, type Program, type ServerSignal } from "./place.js";

type Testcontainers = typeof import("testcontainers");
type Exec = { stream: import("node:stream").Duplex; exitCode(): Promise<number | null> };

const FOLDER = "/srv/doordarshan";

/** The container does nothing by itself, so that one way of starting servers fits all images; servers are started inside it. */
const IDLE = `trap 'exit 0' TERM; mkdir -p ${FOLDER} /run/mysqld /var/lib/mysql-files; echo open; sleep 21600 & wait $!`;

/** Ends the container when this process goes away, even by SIGKILL: the engine then closes this command's input. */
const LIFELINE = "cat >/dev/null; kill -TERM 1";

/** Servers inside one container, with the same port numbers inside and outside, so that a cluster's nodes need no address map. */
export class DockerPlace implements Place {
  readonly folder = FOLDER;
  readonly bindAddress = "0.0.0.0";
  readonly peerAddress: string;
  readonly mysqlArgs = ["--user=root"];
  #closing: Promise<void> | undefined;

  private constructor(
    private readonly client: ContainerRuntimeClient,
    private readonly container: StartedTestContainer,
  ) {
    // The engine's default network is a bridge between all containers; a container without an address has no network of its own.
    const addresses = container.getNetworkNames().map((name) => container.getIpAddress(name));
    this.peerAddress = addresses.find(Boolean) ?? "127.0.0.1";
  }

  static async open(testcontainers: Testcontainers, image: string, ports: readonly number[]): Promise<DockerPlace> {
    const client = await testcontainers.getContainerRuntimeClient();
    const container = await startIdle(testcontainers, image, ports);
    const place = new DockerPlace(client, container);
    const { stream } = await place.#exec(["sh", "-c", LIFELINE], true);
    // Its end is that of the container; nobody waits for it.
    stream.on("error", () => undefined).resume();
    return place;
  }

  async find(...names: string[]): Promise<string | undefined> {
    const found = await this.run(
      ["sh", "-c", `for name; do command -v "$name" && break; done; :`, "sh", ...names],
      10_000,
    );
    return found.trim() || undefined;
  }

  async makeFolder(name: string): Promise<string> {
    await this.run(["mkdir", "-m", "700", `${FOLDER}/${name}`], 10_000);
    return `${FOLDER}/${name}`;
  }

  async write(name: string, content: string): Promise<string> {
    await this.container.copyContentToContainer([{ content, target: `${FOLDER}/${name}`, mode: 0o600 }]);
    return `${FOLDER}/${name}`;
  }

  async run(command: readonly string[], timeoutMs: number): Promise<string> {
    const { stream, exitCode } = await this.#exec(command);
    const timer = setTimeout(() => stream.destroy(), timeoutMs);
    const printed = await text(this.#merged(stream)).finally(() => clearTimeout(timer));
    const code = await exitCode();
    if (code === 0) return printed;
    const how = code === null ? `was not done within ${timeoutMs} ms` : `exited with ${code}`;
    throw new ServerStartError(`${command[0]} ${how}: ${printed.trim().split("\n").slice(-5).join(" | ")}`);
  }

  async start(command: readonly string[]): Promise<Program> {
    const { stream } = await this.#exec(["sh", "-c", `echo "pid $$"; exec "$@"`, "sh", ...command]);
    const output = new Output();
    const printed = this.#merged(stream).on("data", (data) => output.append(String(data)));
    const exited = new Promise<void>((resolve) => printed.once("close", resolve)).then(() => output.close());
    const [, pid] = await output.waitFor(/^pid (\d+)$/m, 10_000, String(command[0]));
    const signal = async (name: ServerSignal) => {
      await this.run(["sh", "-c", `kill -${name} ${pid} 2>/dev/null; :`], 10_000);
    };
    return { output, exited, signal };
  }

  async close(): Promise<void> {
    this.#closing ??= this.client.container.getById(this.container.getId()).remove({ force: true, v: true });
    await this.#closing;
  }

  async #exec(command: readonly string[], stdin = false): Promise<Exec> {
    const exec = await this.client.container.getById(this.container.getId()).exec({
      Cmd: [...command],
      AttachStdin: stdin,
      AttachStdout: true,
      AttachStderr: true,
      WorkingDir: FOLDER,
    });
    const stream = await exec.start({ hijack: true, stdin });
    return { stream, exitCode: async () => (await exec.inspect()).ExitCode };
  }

  /** Both outputs as one text; the engine sends them in frames. */
  #merged(stream: Exec["stream"]): PassThrough {
    const merged = new PassThrough();
    this.client.container.dockerode.modem.demuxStream(stream, merged, merged);
    stream.once("close", () => merged.end());
    stream.once("error", () => merged.end());
    return merged;
  }
}

async function startIdle({ GenericContainer, Wait }: Testcontainers, image: string, ports: readonly number[]) {
  /** testcontainers would open the ports on all of the machine's addresses, and keep a container that has ended. */
  class LoopbackContainer extends GenericContainer {
    protected override async beforeContainerCreated(): Promise<void> {
      const bound = ports.map((port) => [`${port}/tcp`, [{ HostIp: "127.0.0.1", HostPort: String(port) }]]);
      this.hostConfig = { ...this.hostConfig, AutoRemove: true, PortBindings: Object.fromEntries(bound) };
    }
  }
  return new LoopbackContainer(image)
    .withExposedPorts(...ports)
    .withEntrypoint(["sh", "-c", IDLE])
    .withCommand([])
    .withUser("root")
    .withAutoCleanup(false)
    .withWaitStrategy(Wait.forLogMessage("open"))
    .withStartupTimeout(60_000)
    .start();
}
