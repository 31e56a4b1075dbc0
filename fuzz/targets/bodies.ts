/** What a body holds, before and beside HTTP: JSON, forms, base64, data URLs, the fields of an edit. */
import { resolveParameters } from "../../src/engine/request.ts";
import { decodeBase64 } from "../../src/images/base64.ts";
import { readDataUrl } from "../../src/images/data-url.ts";
import { parseJsonBody } from "../../src/server/json-body.ts";
import { parseForm } from "../../src/server/openai/form.ts";
import { bodyOfForm, createRequestReader } from "../../src/server/openai/edit-request.ts";
import { imageEditSchema } from "../../src/server/openai/schemas.ts";
import { readConfig } from "../../src/config/config.ts";
import { JOB_BODIES, OPENAI_BODIES } from "../corpus/bodies.ts";
import { type FormInput, FORMS, formOf } from "../mutate/form.ts";
import { jsonBytes } from "../mutate/json.ts";
import { textOf } from "../mutate/text.ts";
import { expect, type Target, target } from "../target.ts";
import { USUAL_TRAITS } from "../../src/server/schemas.ts";

const MAX_IMAGE_BYTES = 64 * 1024;
const SURROGATE = /\p{Surrogate}/u;

const BASE64: readonly string[] = [
  Buffer.from("some bytes of an image, more than thirty-two").toString("base64"),
  Buffer.from("\xff\xfe\xfb~~~???", "latin1").toString("base64url"),
  "aGVs\r\nbG8g\r\nd29y\r\nbGQ=",
  "AAAA".repeat(200),
];
const DATA_URLS: readonly string[] = [
  `data:image/png;base64,${BASE64[0]}`,
  `data:image/png;charset=utf-8;base64,${BASE64[1]}`,
  "data:,a%20text%20that%20is%20no%20image",
  "data:image/svg+xml,%3Csvg%20xmlns%3D%22http%3A%2F%2Fwww.w3.org%2F2000%2Fsvg%22%3E%3C%2Fsvg%3E",
  "DATA:image/jpeg;BASE64 ,%2F%39j%2F4AAQ",
];
/** Of a request in the library's own names. */
const REQUESTS: readonly unknown[] = [
  {
    prompt: "a red hat",
    negativePrompt: "blurry",
    trueCfgScale: 2,
    numSteps: 28,
    guidance: 2.5,
    seed: 7,
    size: { width: 1024, height: 768 },
    format: "png",
    isSafetyChecked: true,
    isUnchangedKept: false,
    loras: [{ name: "ink", scale: 0.8 }, { name: "fur" }],
  },
  { prompt: "a red hat" },
];

/** Whether a value holds a text that the database cannot store. */
function hasBrokenText(value: unknown): boolean {
  if (typeof value === "string") return value.includes("\0") || SURROGATE.test(value);
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([key, inner]) => hasBrokenText(key) || hasBrokenText(inner));
}

export const TARGETS: readonly Target[] = [
  target<Buffer>(
    { name: "json", parser: "parseJsonBody, src/server/json-body.ts", codes: ["INVALID_PARAMETER"] },
    () => ({
      generate: (random) => jsonBytes([...JOB_BODIES, ...OPENAI_BODIES], random),
      feed(bytes) {
        const value = parseJsonBody(bytes);
        if (value === undefined) return;
        const text = bytes.toString("utf8").replace(/^\uFEFF/, "");
        expect(
          JSON.stringify(value) === JSON.stringify(JSON.parse(text)),
          "read something other than JSON.parse",
        );
        expect(!hasBrokenText(value), "let a text through that the database cannot store");
      },
    }),
  ),
  target<FormInput>(
    {
      name: "form",
      parser: "parseForm and bodyOfForm, src/server/openai/form.ts, edit-request.ts",
      codes: ["INVALID_PARAMETER"],
    },
    () => {
      const settings = readConfig({});
      const schema = imageEditSchema(settings);
      const readRequest = createRequestReader(schema, settings, USUAL_TRAITS);
      return {
        generate: (random) => formOf(FORMS, random),
        async feed({ contentType, body }) {
          const parts = await parseForm(body, contentType);
          const texts = parts.filter(({ value }) => typeof value === "string");
          expect(!texts.some(({ value }) => value.includes("\0")), "let U+0000 through");
          readRequest(bodyOfForm(parts, schema));
        },
        show: ({ contentType, body }) =>
          `${JSON.stringify(contentType)} ${JSON.stringify(body.toString("latin1"))}`,
      };
    },
  ),
  target<string>({ name: "base64", parser: "decodeBase64, src/images/base64.ts", codes: [] }, () => ({
    generate: (random) => textOf(BASE64, random),
    feed(text) {
      const bytes = decodeBase64(text);
      if (bytes === undefined) return;
      const digits = text.replaceAll(/\s/g, "").replace(/={1,2}$/, "");
      expect(/^[\w+/-]*$/.test(digits), "decoded characters that are no digits");
      expect(bytes.length === Math.floor((digits.length * 3) / 4), "decoded to another length");
    },
  })),
  target<string>(
    {
      name: "data-url",
      parser: "readDataUrl, src/images/data-url.ts",
      codes: ["IMAGE_UNREADABLE", "IMAGE_TOO_LARGE"],
    },
    () => ({
      generate: (random) => textOf(DATA_URLS, random),
      feed(text) {
        const { bytes } = readDataUrl(text, MAX_IMAGE_BYTES);
        expect(bytes.length <= MAX_IMAGE_BYTES, "gave more bytes than are allowed");
      },
    }),
  ),
  target<Buffer>(
    {
      name: "edit-parameters",
      parser: "resolveParameters, src/engine/request.ts",
      codes: ["INVALID_PARAMETER"],
    },
    () => ({
      generate: (random) => jsonBytes(REQUESTS, random),
      feed(bytes) {
        let value: unknown;
        try {
          value = JSON.parse(bytes.toString("utf8"));
        } catch {
          return;
        }
        if (typeof value !== "object" || value === null) return;
        const { numSteps, guidance, seed } = resolveParameters(value as never);
        expect(Number.isInteger(numSteps) && numSteps > 0, "let steps through that are none");
        expect(Number.isFinite(guidance), "let a guidance through that is no number");
        expect(Number.isSafeInteger(seed) && seed >= 0, "let a seed through that is none");
      },
    }),
  ),
];
