/** The compose files, as far as they can be known without an engine: rights, passwords, doors. */
import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { variablesOf } from "../../src/config/secret-files.ts";
import type { Setting } from "../../src/config/setting.ts";
import { SETTINGS } from "../../src/config/settings.ts";
import { bytesOf, readCompose } from "../support/container/compose.ts";
import { root } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/temporary.ts";

const ALL_IN_ONE = "compose.yaml";
const SCALED = "compose.scaled.yaml";
const FILES = [ALL_IN_ONE, SCALED];
const WITH_SECRETS = { SECRETS_DIR: "./secrets" };

const textOf = (file: string): Promise<string> => readFile(path.join(root, file), "utf8");
const settings: Setting<unknown>[] = Object.values(SETTINGS);

describe.each(FILES)("every service of %s", (file) => {
  it("has a root for reading, no rights beyond a user's, and limits", async () => {
    const { services } = await readCompose(file, WITH_SECRETS);
    for (const [name, service] of Object.entries(services)) {
      expect(service, name).toMatchObject({
        read_only: true,
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges:true"],
        pids_limit: expect.any(Number) as number,
      });
      expect(bytesOf(service.mem_limit!), name).toBeGreaterThan(256 * 2 ** 20);
      expect(service.cap_add ?? service.privileged, name).toBeUndefined();
    }
  });

  it("has a limit of memory that a variable changes", async () => {
    const { services } = await readCompose(file, {
      ...WITH_SECRETS,
      ...Object.fromEntries(
        ["CONTAINER", "API", "WORKER", "POSTGRES", "S3"].map((name) => [`${name}_MEMORY`, "33g"]),
      ),
    });
    for (const [name, service] of Object.entries(services)) expect(service.mem_limit, name).toBe("33g");
  });

  it("is reached from this machine alone, by nothing but the port of the API", async () => {
    const { services } = await readCompose(file, { ...WITH_SECRETS, RETOUCH_PORT: "9000" });
    const ports = Object.values(services).flatMap((service) => service.ports ?? []);
    expect(ports).toEqual(["127.0.0.1:9000:8000"]);
    expect((await textOf(file)).match(/network_mode|expose:/g)).toBeNull();
  });

  it("is given settings that there are, and that are accepted together", async () => {
    const { services } = await readCompose(file, WITH_SECRETS);
    const known = settings.flatMap(variablesOf);
    const own = Object.entries(services).filter(([, { image }]) => image === "retouch");
    expect(own.length).toBeGreaterThan(0);
    const files = await secretsOfTheHead();
    for (const [service, { environment }] of own) {
      for (const name of Object.keys(environment)) expect(known, service).toContain(name);
      const here = Object.entries(environment).map(([name, value]) => [
        name,
        value.replace(/^\/run\/secrets\/(.+)$/, (_, secret: string) =>
          path.join(files, secret.replaceAll("_", "-")),
        ),
      ]);
      expect(() => readConfig(Object.fromEntries(here) as Record<string, string>), service).not.toThrow();
    }
  });
});

describe(ALL_IN_ONE, () => {
  it("starts without anything being set, with its data in a volume and nothing else to write to", async () => {
    const { services } = await readCompose(ALL_IN_ONE);
    expect(Object.keys(services)).toEqual(["retouch"]);
    expect(services["retouch"]).toMatchObject({ build: ".", init: true, volumes: ["data:/data"] });
    expect(services["retouch"]!.tmpfs).toBeUndefined();
  });
});

describe("a password", () => {
  it("is needed by the scaled form, which says how to make one and else does not start", async () => {
    for (const environment of [{}, { SECRETS_DIR: "" }]) {
      await expect(readCompose(SCALED, environment)).rejects.toThrow(
        "required variable SECRETS_DIR is missing a value: name the folder of your passwords, which the head of this file says how to make",
      );
    }
    await expect(readCompose(SCALED, WITH_SECRETS)).resolves.toBeDefined();
  });

  it.each(FILES)(
    "stands in no environment of %s, and no variable that may hold one has a default",
    async (file) => {
      const { services } = await readCompose(file, WITH_SECRETS);
      const secrets = settings.filter(({ isSecret }) => isSecret).map(({ variable }) => variable);
      for (const [service, { environment }] of Object.entries(services)) {
        for (const [name, value] of Object.entries(environment)) {
          expect(secrets, `${service}: ${name}`).not.toContain(name);
          if (/PASS|SECRET|TOKEN|API_KEY|DATABASE_URL/.test(name)) {
            expect(name, service).toMatch(/_FILE$/);
            expect(value, service).toMatch(/^\/run\/secrets\//);
          }
          expect(value, `${service}: ${name}`).not.toMatch(/\/\/[^/]*:[^/]*@/);
        }
      }
      for (const [, name] of (await textOf(file)).matchAll(/\$\{(\w+):?-/g)) {
        expect(name).toMatch(/_MEMORY$|^RETOUCH_PORT$/);
      }
    },
  );

  it("is a file of its own, which each service gets whose environment names it", async () => {
    const { services, secrets } = await readCompose(SCALED, WITH_SECRETS);
    expect(secrets).toEqual({
      postgres_password: { file: "./secrets/postgres-password" },
      database_url: { file: "./secrets/database-url" },
      s3_secret_access_key: { file: "./secrets/s3-secret-access-key" },
    });
    for (const [name, { environment, entrypoint, secrets: given = [] }] of Object.entries(services)) {
      const said = JSON.stringify([environment, entrypoint]);
      const named = [...said.matchAll(/\/run\/secrets\/(\w+)/g)].map(([, secret]) => secret!);
      expect([...new Set(named)].toSorted(), name).toEqual([...given].toSorted());
    }
  });

  it("made as the head of the file says is the same for the database and for those who use it", async () => {
    const folder = await secretsOfTheHead();
    const read = async (name: string): Promise<string> =>
      (await readFile(path.join(folder, name), "utf8")).trim();
    const password = await read("postgres-password");
    expect(password).toMatch(/^[0-9a-f]{48}$/);
    expect(await read("database-url")).toBe(`postgres://retouch:${password}@postgres:5432/retouch`);
    expect(await read("s3-secret-access-key")).toMatch(/^[0-9a-f]{48}$/);
    expect(await read("s3-secret-access-key")).not.toBe(password);
  });

  it("is made by the same lines in docs/operations.md", async () => {
    expect(await textOf("docs/operations.md")).toContain(`\`\`\`sh\n${await linesOfTheHead()}\n`);
  });

  it("reaches the S3 server from its file, and an empty one does not", async () => {
    const { services } = await readCompose(SCALED, WITH_SECRETS);
    const { entrypoint, command } = services["s3"]!;
    const folder = await temporaryFolder();
    const server = path.join(folder, "entrypoint.sh");
    await writeFile(server, '#!/bin/sh\necho "$AWS_SECRET_ACCESS_KEY" "$@"\n', { mode: 0o755 });
    const run = async (secret: string): Promise<string> => {
      await writeFile(path.join(folder, "secret"), secret);
      const [shell, ...words] = [...entrypoint!, ...command!].map((word) =>
        word
          .replace("/run/secrets/s3_secret_access_key", path.join(folder, "secret"))
          .replace("/entrypoint.sh", server),
      );
      return execFileSync(shell!, words, { encoding: "utf8" });
    };
    expect(await run("hunter2\n")).toBe(`hunter2 ${command!.join(" ")}\n`);
    await expect(run("\n")).rejects.toThrow("Command failed");
  });
});

it("lets nobody reach the database and the bucket but the services, and these two reach nothing outside", async () => {
  const { services, networks } = await readCompose(SCALED, WITH_SECRETS);
  expect(networks!["inner"]).toEqual({ internal: true });
  for (const name of ["postgres", "s3"]) {
    expect(services[name]).toMatchObject({
      networks: ["inner"],
      user: expect.stringMatching(/^(?!0|root)/) as string,
    });
    expect(services[name]!.ports).toBeUndefined();
  }
});

/** The lines for the shell at the head of the scaled form that make its passwords. */
async function linesOfTheHead(): Promise<string> {
  const [, lines] = /^#\n# {3}(mkdir .*?)\n#\n/ms.exec(await textOf(SCALED))!;
  return lines!.replaceAll(/^# {3}/gm, "");
}

/** Runs these lines. @returns the folder that they make */
async function secretsOfTheHead(): Promise<string> {
  const folder = path.join(await temporaryFolder(), "here");
  await mkdir(folder);
  execFileSync("sh", ["-ec", await linesOfTheHead()], { cwd: folder });
  return path.join(folder, "secrets");
}
