/** A service with the embedded database, on a machine whose clock is set forward by days, and right again. */
import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { serve } from "../support/served.ts";
import { until } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary.ts";

/** Replaces the system's clock for one program: Debian's package faketime. */
const faketime = ((): string | undefined => {
  const libraries = "/usr/lib";
  try {
    const folder = readdirSync(libraries)
      .map((name) => path.join(libraries, name, "faketime"))
      .find((name) => {
        try {
          return readdirSync(name).includes("libfaketimeMT.so.1");
        } catch {
          return false;
        }
      });
    return folder && path.join(folder, "libfaketimeMT.so.1");
  } catch {
    return undefined;
  }
})();

it("keeps results and jobs, and goes on with them, also after a restart at the wrong time", async ({
  skip,
}) => {
  if (faketime === undefined) skip("libfaketime is not installed (apt-get install faketime)");
  const clock = path.join(await temporaryFolder(), "clock");
  const set = (offset: string): Promise<void> => writeFile(clock, `${offset}\n`);
  await set("+0d");
  const settings = {
    LD_PRELOAD: faketime!,
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    RETOUCH_DATA_DIR: await temporaryFolder(),
    RETOUCH_API_KEY: "chosen-by-the-operator",
    // Its signs, by which a restart knows of the wrong time, are those of this run alone.
    RETOUCH_SHUTDOWN_DEADLINE: "0ms",
  };
  let server = await serve(settings);
  const submit = async (): Promise<string> => {
    const image = `${server.address}/examples/bluebird.png`;
    const input = { prompt: "Make it night", image, size: "256*256", num_inference_steps: 2 };
    const { status, body } = await server.call("/run", { body: { input } });
    expect(status).toBe(200);
    return body.id as string;
  };
  const jobOf = async (id: string) => (await server.call(`/status/${id}`)).body;
  const patience = { patienceMs: 100_000 };
  try {
    const done = await submit();
    const { output } = await until(
      () => jobOf(done),
      ({ status }) => status === "COMPLETED",
      patience,
    );
    await set("+9d");
    // Several rounds of housekeeping.
    await delay(4000);
    expect(await jobOf(done)).toEqual({ error: "job not found" });
    await server.end("SIGTERM");
    server = await serve({ ...settings, RETOUCH_PORT: new URL(server.address).port });
    await delay(4000);

    await set("+0d");
    expect((await jobOf(done)).status).toBe("COMPLETED");
    expect((await fetch(output.image_url)).status).toBe(200);
    // Made at the right time, after a clock that was set back by days.
    const next = await submit();
    const { delayTime } = await until(
      () => jobOf(next),
      ({ status }) => status === "COMPLETED",
      patience,
    );
    expect(delayTime).toBeGreaterThanOrEqual(0);
  } finally {
    await server.end("SIGKILL");
  }
});
