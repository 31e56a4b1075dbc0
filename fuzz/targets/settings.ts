/** Settings: the environment, `.env`, files of secrets, and the address of the database. */
import { writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { readConfig } from "../../src/config/config.ts";
import { readDotenv } from "../../src/config/dotenv.ts";
import { readHubSettings } from "../../src/config/hub-settings.ts";
import { SETTINGS } from "../../src/config/settings.ts";
import { connectDatabase } from "../../src/database/database.ts";
import { mutateBytes } from "../mutate/bytes.ts";
import { mutateText, oddText, textOf } from "../mutate/text.ts";
import { expect, type Target, target } from "../target.ts";

const ALL = Object.values(SETTINGS);
const SAMPLES: readonly string[] = [
  ["90s", "10m", "7d", "250ms", "512KB", "10MB", "64MiB", "true", "0.025/image", "0.03/megapixel", "8000"],
  ["https://edit.example.com/below/", "a.example,*.b.example:80,*", "ink=/loras/ink.safetensors", "*"],
].flat();
const DOTENV: readonly string[] = [
  "# a comment\nRETOUCH_PORT=9000\nexport RETOUCH_HOST='0.0.0.0'\r\n\r\nAWS_REGION=\"eu\"\nOTHER=1\n",
  'RETOUCH_API_KEY="a key with # in it" # comment\nDATABASE_URL=postgres://a:b@c/d\nHF_TOKEN=`x`',
];
const DATABASES: readonly string[] = [
  "postgres://user:password@127.0.0.1:5432/name",
  "postgresql://user:p%40ss@db.example/name?sslmode=require&application_name=x",
  "postgres://[::1]:5432/name?connect_timeout=1&options=-c%20x%3D1",
  "postgres://%2Fvar%2Frun%2Fpostgresql/name",
  "postgres://user@/name?host=/tmp",
];
const HUB: Readonly<Record<string, string>> = {
  HF_ENDPOINT: "https://hub.example/mirror/",
  HTTPS_PROXY: "proxy.example:3128",
  http_proxy: "http://user:word@proxy.example:3128",
  HF_HOME: "~/hub",
  HF_HUB_OFFLINE: "yes",
};

/** Refuses every connection at once: addresses are made up here, and nobody may be reached. */
function refuseConnections(): void {
  net.Socket.prototype.connect = function connect(this: net.Socket) {
    process.nextTick(() =>
      this.destroy(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })),
    );
    return this;
  } as never;
}

export const TARGETS: readonly Target[] = [
  target<Record<string, string>>(
    { name: "settings", parser: "readConfig, src/config", codes: ["CONFIG_INVALID"], maxMiB: 250 },
    () => ({
      generate(random) {
        const environment: Record<string, string> = {};
        for (let count = random.few(4); count > 0; count -= 1) {
          const { variable, default: byDefault, example } = random.pick(ALL);
          const name = random.chance(0.95) ? variable : mutateText(variable, random);
          const value = random.chance(0.3) ? random.pick(SAMPLES) : (byDefault ?? example ?? "x");
          environment[name] = random.chance(0.1) ? value : mutateText(value, random);
        }
        return environment;
      },
      feed(environment) {
        try {
          readConfig(environment);
        } catch (error) {
          const { message } = error as Error;
          const shown = ALL.find(({ variable, isSecret, parser }) => {
            const value = environment[variable] ?? "";
            // What every refusal of this setting shows is an example.
            return (
              isSecret && value.length > 20 && message.includes(value) && !parser.accepts.includes(value)
            );
          });
          expect(shown === undefined, `showed the secret of ${shown?.variable}`);
          throw error;
        }
      },
    }),
  ),
  target<Buffer>(
    { name: "dotenv", parser: "readDotenv, src/config/dotenv.ts", codes: ["CONFIG_INVALID"] },
    (folder) => {
      const corpus = DOTENV.map((text) => Buffer.from(text));
      return {
        generate: (random) =>
          random.chance(0.7)
            ? Buffer.from(textOf(DOTENV, random))
            : mutateBytes(random.pick(corpus), random, corpus),
        feed(bytes) {
          writeFileSync(path.join(folder, ".env"), bytes);
          const { own, others } = readDotenv(folder);
          for (const name of Object.keys({ ...own, ...others })) {
            expect(/^[A-Z_][A-Z0-9_]*$/i.test(name), `read ${JSON.stringify(name)}`);
          }
        },
      };
    },
  ),
  target<Buffer>(
    { name: "secret-file", parser: "readSecretFiles, src/config/secret-files.ts", codes: ["CONFIG_INVALID"] },
    (folder) => {
      const corpus = ["a-secret-of-24-characters\n", "0123456789abcdef\r\n"].map((text) => Buffer.from(text));
      const file = path.join(folder, "key");
      return {
        generate: (random) =>
          random.chance(0.5)
            ? mutateBytes(random.pick(corpus), random)
            : Buffer.from(oddText(random).repeat(16)),
        feed(bytes) {
          writeFileSync(file, bytes);
          const { apiKey } = readConfig({ RETOUCH_API_KEY_FILE: file });
          expect(/^[\x21-\x7e]{16,200}$/.test(apiKey ?? ""), "let a key through that is none");
        },
      };
    },
  ),
  target<string>(
    {
      name: "database-url",
      parser: "connectDatabase, src/database/database.ts",
      codes: ["CONFIG_INVALID", "DATABASE_UNAVAILABLE"],
    },
    () => {
      refuseConnections();
      return {
        generate: (random) => textOf(DATABASES, random),
        async feed(text) {
          const { databaseUrl } = readConfig({ DATABASE_URL: text });
          if (databaseUrl === undefined) return;
          const database = await connectDatabase({ url: databaseUrl, schema: "fuzz", onError: () => {} });
          await database.close();
        },
      };
    },
  ),
  target<Record<string, string>>(
    {
      name: "hub-settings",
      parser: "readHubSettings, src/config/hub-settings.ts",
      codes: ["CONFIG_INVALID"],
    },
    () => ({
      generate(random) {
        const environment = { ...HUB };
        const name = random.pick(Object.keys(HUB));
        environment[name] = mutateText(HUB[name]!, random);
        return environment;
      },
      feed(environment) {
        const { endpoint } = readHubSettings(environment, "/home/user");
        expect(URL.canParse(`${endpoint}/api`), "let an endpoint through that is none");
      },
    }),
  ),
];
