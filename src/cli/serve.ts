/** `retouch serve`: starts the service and prints how to use it. */
import { loadConfig } from "../config/config.ts";
import { failure, RetouchError } from "../errors.ts";
import { EDIT_PARAMETERS, type EditDefaults, parametersOfModel } from "../index.ts";
import type { CreatedKey } from "../keys/contracts.ts";
import { createLog } from "../log.ts";
import { type Service, startService } from "../service/service.ts";
import { withCheckpointFolders } from "./checkpoint.ts";
import { printText } from "./output.ts";
import { type ServiceFlags, withServiceFlags } from "./service-flags.ts";

const EXAMPLE = "bluebird.png";
const PROMPT = "Exact same bluebird, same angle and posture, now perched on a cloud in outer space";
const FIRST_KEY = "first key";

/** Runs until `signal` aborts, then shuts down in order. @throws RetouchError with a sentence for the user */
export function runServe(flags: ServiceFlags, signal: AbortSignal): Promise<void> {
  return withServiceFlags(flags, (variables) => serve(variables, signal));
}

async function serve(variables: Record<string, string>, signal: AbortSignal): Promise<void> {
  const config = await withCheckpointFolders(loadConfig(variables));
  const log = createLog({ level: config.logLevel });
  const service = await startService({ config, log });
  const { lost } = service.data;
  const ended = new Promise<void>((resolve, reject) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
    lost?.addEventListener("abort", () => reject(lostSentence(config.dataDir)), { once: true });
  });
  // It may reject before anybody waits for it.
  ended.catch(() => {});
  try {
    const address = config.publicUrl ?? service.address;
    await printText(
      process.stdout,
      welcome(
        { address, endpoint: `${address}/v2/${config.endpointId}`, defaults: service.defaults },
        await firstKey(service, config.apiKey),
      ),
    );
    await ended;
  } finally {
    // Ctrl-C comes from somebody who waits at a terminal.
    const isPatient = (signal.reason as { signal?: string } | undefined)?.signal === "SIGTERM";
    await service.close({ drainMs: isPatient ? config.drainDelayMs : 0 });
  }
}

function lostSentence(folder: string): RetouchError {
  return new RetouchError(
    "DATA_DIR_IN_USE",
    failure("about", { field: "RETOUCH_DATA_DIR", sentence: `${folder} was taken over by another process.` }),
  );
}

/** The operator's own key, or one made because there is none: the only moment when it can be shown. */
async function firstKey({ keys }: Service, chosen: string | undefined): Promise<CreatedKey | undefined> {
  if (chosen !== undefined) return undefined;
  const known = await keys.list();
  return known.length === 0 ? keys.create(FIRST_KEY) : undefined;
}

/** @param service its address as clients reach it, its first endpoint's, and what that one's model does by default */
function welcome(
  { address, endpoint, defaults }: { address: string; endpoint: string; defaults: EditDefaults },
  made: CreatedKey | undefined,
): string {
  const { size, seed, format, isSafetyChecked } = EDIT_PARAMETERS;
  const { numSteps, guidance } = parametersOfModel(defaults);
  const key = made?.key ?? "YOUR_API_KEY";
  // Without a new key there is none to pass on: the browser has its own, or asks for one.
  const playground = made === undefined ? `${address}/` : `${address}/#key=${made.key}`;
  const intro =
    made === undefined
      ? "API key: the one you already have (create more with: npx retouch keys create NAME)"
      : `API key: ${made.key}\nIts webhooks are signed with: ${made.webhookSecret}\n` +
        "(shown only once; only the key's hash is stored. Create more with: npx retouch keys create NAME)";
  return `Retouch listens at ${endpoint}
${intro}

curl --request POST \\
     --url ${endpoint}/runsync \\
     --header "accept: application/json" \\
     --header "authorization: ${key}" \\
     --header "content-type: application/json" \\
     --data '
{
  "input": {
    "prompt": "${PROMPT}",
    "image": "${address}/examples/${EXAMPLE}",
    "negative_prompt": "",
    "${size.wire}": "${size.wireDefault.width}*${size.wireDefault.height}",
    "${numSteps.wire}": ${numSteps.default},
    "${guidance.wire}": ${guidance.default},
    "${seed.wire}": ${seed.default},
    "${format.wire}": "${format.default}",
    "${isSafetyChecked.wire}": ${isSafetyChecked.default}
  }
}'

Playground: ${playground}
`;
}
