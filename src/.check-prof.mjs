var __defProp = Object.defineProperty;
var __getOwnPropNames = Object.getOwnPropertyNames;
var __esm = (fn, res, err) => function __init() {
  if (err) throw err[0];
  try {
    return fn && (res = (0, fn[__getOwnPropNames(fn)[0]])(fn = 0)), res;
  } catch (e) {
    throw err = [e], e;
  }
};
var __export = (target, all) => {
  for (var name in all)
    __defProp(target, name, { get: all[name], enumerable: true });
};

// src/errors/catalogue.ts
function failure(kind, values) {
  return { kind, values };
}
function fieldOf({ kind, values }) {
  const { field } = values;
  if (field !== void 0) return String(field);
  const template = SENTENCES[kind];
  return template?.includes("{image}") ? "image" : void 0;
}
var SENTENCES;
var init_catalogue = __esm({
  "src/errors/catalogue.ts"() {
    "use strict";
    SENTENCES = {
      /** A failure that is about one thing only: the sentence itself. */
      sentence: "{sentence}",
      /** The same about a field. */
      about: "{field}: {sentence}",
      state: "{field} {sentence}",
      missing: "{field} is missing.",
      misplaced: "{field} is missing; {hint}.",
      empty: "{field} must not be empty.",
      type: "{field} must be {wanted}.",
      range: "{field} must be {wanted} from {min} to {max}, not {given}.",
      within: "{field} must be {wanted} from {min} to {max}.",
      above: "{field} must be a number above {min}, not {given}.",
      oneOf: "{field} must be {choices}, not {given}.",
      tooLong: "{field} must have at most {max} characters, not {count}.",
      tooMany: "{field} must be a list of at most {max}.",
      together: "{field} and {other} must be given together.",
      notTogether: "{field} and {other} must not be given together.",
      onlyWith: "{field} must not be given without {other}.",
      notMore: "{field} ({given}) must not be more than {other} ({max}).",
      atMostHalf: "{field} ({given}) must be at most half of {other} ({max}).",
      least: "{field} must be at least {min} here.",
      needed: "{field} must be set: {reason}.",
      atLeast: "{field} ({given}) must be at least {min}.",
      unsupported: "{field} is not supported: {reason}.",
      forbidden: "{field} must not be {given}: {reason}.",
      contradiction: "{field} {given} contradicts the name in {other} {name}.",
      unclearFormat: "{field} {given} is neither .png nor .jpg; results are PNG or JPEG (or say which with {other}).",
      taken: "{field} {given} is there, and this server did not make it or it was changed since; choose another name (retouch mcp --overwrite allows it).",
      outside: "{field} must be in {root}, the folder that this server may use (--root).",
      replaced: "{field} was replaced while it was being opened.",
      unknownArgument: "{field} is no argument of this tool.",
      unknownLora: "{field}: there is no LoRA {given}; {known}.",
      device: "{field} {given} cannot be used: {reason}.",
      url: "{field} must be an http or https URL.",
      urlLogin: "{field} must not be a URL with a user name or password.",
      privateUrl: "{field}: the address of {host} is not public, and RETOUCH_ALLOW_PRIVATE_HOSTS does not allow it.",
      hosts: "{field} must name hosts, addresses or networks, not {given}.",
      imageEmpty: "{image} is empty (0 bytes).",
      imageUnknown: "{image} is not an image; {accepted} are accepted.",
      imageFormat: "{image} {state}, which is not accepted; {advice}.",
      imageDamaged: "{image} is damaged or cut short: its {format} data cannot be decoded.",
      imagePixels: "{image} has {width} x {height} = {pixels} pixels; at most {max} are accepted.",
      imageBytes: "{image} is larger than the limit of {max}.",
      imageUnreadable: "{image} cannot be read: {reason}.",
      imageDownload: "{image} cannot be downloaded: {reason}.",
      imageNoData: "{image} holds no data.",
      imageUrl: "{image} is not a valid URL.",
      imageUrlLong: "{image} is a URL of more than {max} characters.",
      imageFileUrl: "{image} is not a valid file URL.",
      flagged: "The safety checker refused the result: it looks pornographic (score {score}, refused from {threshold}).",
      loraInvalid: "{field}: the file of the LoRA {name} is missing or damaged, or does not fit the network.",
      loraUnsupported: "{field}: the file of the LoRA {name} is of a kind that cannot be used.",
      file: "The {what} {file} {fault}.",
      unwritable: "{file} cannot be written: {reason}.",
      estimate: "{field}: this edit takes about {estimate} here, and its limit is {limit}; ask for fewer steps, a smaller size or a higher limit.",
      setting: "{field} must be {accepts}, not {given}.",
      settingSecret: "{field} must be {accepts}.",
      settingFile: "{field} must name a file that holds {accepts}.",
      secretFlag: "{field} is not offered, because other users of this machine can see its command lines; set {other} in the environment or in .env.",
      settingUnknown: "{field} is no setting.",
      settingMisspelt: "{field} is no setting; did you mean {other}?",
      settingNotFromFile: "{field} is no setting: {other} is not read from a file.",
      dotenvLine: ".env: line {line} {fault}.",
      folder: "{field}: {folder} cannot be used: {reason}.",
      noService: "There is no service in {folder} ({field}): start it there with `retouch serve`, or name its folder with --data-dir.",
      portInUse: "{field}: the port {port} is in use; choose another one, such as {field}={next}.",
      database: "{field}: the database {event} ({reason}).",
      embeddedDatabase: "The embedded database {event} ({reason}).",
      undecided: "{field}: the database {event} ({reason}); what was being written may be there or not.",
      embeddedUndecided: "The embedded database {event} ({reason}); what was being written may be there or not."
    };
  }
});

// src/errors/any-of.ts
var anyOf, LIST;
var init_any_of = __esm({
  "src/errors/any-of.ts"() {
    "use strict";
    anyOf = (choices) => LIST.format(choices);
    LIST = new Intl.ListFormat("en-GB", { type: "disjunction" });
  }
});

// src/errors/wording.ts
function sentenceOf(failure2, surface = LIBRARY) {
  const { kind, values } = failure2;
  const template = surface.sentences?.[kind] ?? SENTENCES[kind];
  return template.replaceAll(/\{(\w+)\}/g, (_, slot) => {
    if (slot === "image") return surface.image(values["source"]);
    const value = String(values[slot]);
    if (slot !== "field" && slot !== "other") return value;
    const place = slot === "field" && values["place"] !== void 0 ? ` (in ${values["place"]})` : "";
    return nameOf(value, surface) + place;
  });
}
function nameOf(field, { names }) {
  const own = names[field];
  if (own !== void 0) return own;
  const position = /\[\d+\]/.exec(field)?.[0];
  if (position === void 0) return field;
  return names[field.replace(position, "[]")]?.replace("[]", position) ?? field;
}
var LIBRARY;
var init_wording = __esm({
  "src/errors/wording.ts"() {
    "use strict";
    init_catalogue();
    LIBRARY = { names: {}, image: (source) => source ?? "the image" };
  }
});

// src/errors.ts
function failuresOf(what) {
  if (typeof what === "string") return [failure("sentence", { sentence: what })];
  return "kind" in what ? [what] : what;
}
function invalid(kind, values, options) {
  return new RetouchError("INVALID_PARAMETER", failure(kind, values), options);
}
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
function cutText(text3, maxCharacters) {
  return text3.length > maxCharacters ? `${text3.slice(0, maxCharacters)}\u2026` : text3;
}
var ERRORS, ERROR_CODES, MAX_MESSAGE_CHARACTERS, RetouchError;
var init_errors = __esm({
  "src/errors.ts"() {
    "use strict";
    init_catalogue();
    init_any_of();
    init_wording();
    ERRORS = {
      /** A parameter is missing, malformed or out of its range. */
      INVALID_PARAMETER: { httpStatus: 400, isRetryable: false },
      /** The image's file, URL or data URL cannot be read. */
      IMAGE_UNREADABLE: { httpStatus: 400, isRetryable: false },
      /** The bytes are not an image, or the image is damaged. */
      IMAGE_INVALID: { httpStatus: 400, isRetryable: false },
      /** An image in a format that is not accepted. */
      IMAGE_UNSUPPORTED: { httpStatus: 415, isRetryable: false },
      /** More bytes or pixels than the limit. */
      IMAGE_TOO_LARGE: { httpStatus: 413, isRetryable: false },
      /** The result cannot be written. */
      OUTPUT_UNWRITABLE: { httpStatus: 507, isRetryable: true },
      /** A checkpoint folder or one of its files does not exist. */
      CHECKPOINT_MISSING: { httpStatus: 500, isRetryable: false },
      /** A checkpoint file is damaged, or keys and shapes do not fit its configuration. */
      CHECKPOINT_INVALID: { httpStatus: 500, isRetryable: false },
      /** A checkpoint asks for something that this engine does not implement. */
      CHECKPOINT_UNSUPPORTED: { httpStatus: 500, isRetryable: false },
      /** A LoRA's file is missing or damaged, or does not fit the network. */
      LORA_INVALID: { httpStatus: 500, isRetryable: false },
      /** A LoRA of a kind or element type that is not supported. */
      LORA_UNSUPPORTED: { httpStatus: 500, isRetryable: false },
      /** The hub refuses this user access to a repository, a revision or a file. */
      HUB_REFUSED: { httpStatus: 403, isRetryable: false },
      /** The hub cannot be reached, or sent something other than it promised. */
      HUB_UNAVAILABLE: { httpStatus: 503, isRetryable: true },
      /** The runtime failed while loading or running a network. */
      RUNTIME_FAILED: { httpStatus: 500, isRetryable: true },
      /** An edit would take more memory than is available or allowed. */
      MEMORY_INSUFFICIENT: { httpStatus: 500, isRetryable: false },
      /** Settings are wrong, one sentence per line; or, for a program using the library, its environment is. */
      CONFIG_INVALID: { httpStatus: 500, isRetryable: false },
      /** Another process owns the data folder. */
      DATA_DIR_IN_USE: { httpStatus: 500, isRetryable: true },
      /** The safety checker refused the result. */
      OUTPUT_FLAGGED: { httpStatus: 422, isRetryable: false },
      /** At the workers' measured speed, a job cannot finish within its own time limit. */
      ESTIMATE_TOO_LONG: { httpStatus: 400, isRetryable: false },
      /** The results kept for a key already take all the space it is allowed. */
      QUOTA_EXCEEDED: { httpStatus: 507, isRetryable: true },
      /** The disk is full, or has less free space than the operator wants to keep. */
      DISK_FULL: { httpStatus: 507, isRetryable: true },
      /** A request without a key, to a host name that is not one of the server's. */
      HOST_UNKNOWN: { httpStatus: 421, isRetryable: false },
      /** Too many jobs are already waiting. */
      QUEUE_FULL: { httpStatus: 429, isRetryable: true },
      /** The idempotency key was used before, with a different body. */
      IDEMPOTENCY_CONFLICT: { httpStatus: 409, isRetryable: false },
      /** Only failed and timed-out jobs can be retried. */
      NOT_RETRYABLE: { httpStatus: 409, isRetryable: false },
      /** The database cannot be reached, or does not suit this version. */
      DATABASE_UNAVAILABLE: { httpStatus: 503, isRetryable: true },
      /** The database connection was lost during a commit: the transaction may or may not have been applied. */
      COMMIT_UNDECIDED: { httpStatus: 503, isRetryable: true },
      /** The operator's own storage of images does not work. */
      STORAGE_UNAVAILABLE: { httpStatus: 503, isRetryable: true },
      /** The caller's own bucket (`s3Config`) does not take the result. */
      BUCKET_UNAVAILABLE: { httpStatus: 424, isRetryable: true },
      /** The caller's signal aborted the edit. */
      ABORTED: { httpStatus: 499, isRetryable: true }
    };
    ERROR_CODES = Object.keys(ERRORS);
    MAX_MESSAGE_CHARACTERS = 4e3;
    RetouchError = class extends Error {
      name = "RetouchError";
      code;
      /** The status that an HTTP interface answers with. */
      httpStatus;
      /** Whether the same request may succeed later. */
      isRetryable;
      /** Kind and values. There are several only if several settings are wrong; `message` then has a line for each. */
      failures;
      /** One sentence per failure. */
      sentences;
      /**
       * @param what a failure from the catalogue, several failures of settings, or a sentence for a one-off failure
       * @param options.surface whose names the sentences use @default the library
       */
      constructor(code, what, { surface = LIBRARY, ...options } = {}) {
        const failures = failuresOf(what);
        const sentences = failures.map((one2) => cutText(sentenceOf(one2, surface), MAX_MESSAGE_CHARACTERS));
        super(cutText(sentences.join("\n"), MAX_MESSAGE_CHARACTERS), options);
        this.failures = failures;
        this.sentences = sentences;
        this.code = code;
        this.httpStatus = ERRORS[code].httpStatus;
        this.isRetryable = ERRORS[code].isRetryable;
      }
      /** The first failure, which is nearly always the only one. */
      get failure() {
        return this.failures[0];
      }
      /** The parameter at fault, by the library's name (`numSteps`, `size.width`, `loras[0].scale`, `image`). */
      get field() {
        return fieldOf(this.failure);
      }
      /** The values that fill in the sentence. */
      get values() {
        return this.failure.values;
      }
    };
  }
});

// src/process-environment.ts
import path from "node:path";
function keepTelemetryOff(platform = process.platform) {
  const before = inspectProcess();
  if (before.isTelemetryOff) return;
  const isRefused = platform !== "win32";
  if (before.isRuntimeLoaded && isRefused) {
    throw refusal("onnxruntime was loaded by another part of this program, and its telemetry may be on");
  }
  process.env[VARIABLE] = "1";
  if (!inspectProcess().isTelemetryOff && isRefused) {
    throw refusal("A worker thread cannot keep the telemetry of onnxruntime off");
  }
}
function inspectProcess() {
  const { environmentVariables = {}, sharedObjects } = processReport();
  return {
    isTelemetryOff: YES.test(environmentVariables[VARIABLE] ?? ""),
    isRuntimeLoaded: sharedObjects.some((file) => RUNTIME_LIBRARY.test(path.basename(file)))
  };
}
function processReport() {
  const report = process.report;
  const { excludeNetwork, excludeEnv } = report;
  report.excludeNetwork = true;
  report.excludeEnv = false;
  try {
    return report.getReport();
  } finally {
    Object.assign(report, { excludeNetwork, excludeEnv });
  }
}
var VARIABLE, YES, RUNTIME_LIBRARY, TELEMETRY_OFF, childEnvironment, refusal;
var init_process_environment = __esm({
  "src/process-environment.ts"() {
    "use strict";
    init_errors();
    VARIABLE = "ORT_DISABLE_TELEMETRY";
    YES = /^\s*(?:1|true|yes|y|on)\s*$/i;
    RUNTIME_LIBRARY = /onnxruntime/i;
    TELEMETRY_OFF = { [VARIABLE]: "1" };
    childEnvironment = (defaults = {}) => ({
      ...defaults,
      ...process.env,
      ...TELEMETRY_OFF
    });
    refusal = (what) => new RetouchError("CONFIG_INVALID", `${what}: start the process with ${VARIABLE}=1 in its environment.`);
  }
});

// src/runtime/session-settings.ts
function sessionSettings(options) {
  const { weightsFolder, threads, device = "cpu", hostNodes = [], profilePrefix } = options;
  const { isWideningDelayed, isMemoryReturned, isWhole: isWhole2 } = options;
  return {
    // Whatever the provider is, operators that it has no kernel for run on the CPU.
    executionProviders: [
      // It takes no empty list.
      device === "webgpu" && hostNodes.length > 0 ? { name: device, forceCpuNodeNames: [...hostNodes] } : device
    ],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    enableCpuMemArena: !isMemoryReturned,
    // With it, every run from the second on allocates all of its memory in one piece beside what the first one took.
    enableMemPattern: false,
    // Fatal only: every error is thrown as well, and a line on stderr would tell the user twice.
    logSeverityLevel: 4,
    ...profilePrefix !== void 0 && { enableProfiling: true, profileFilePrefix: profilePrefix },
    extra: {
      session: {
        model_external_initializers_file_folder_path: weightsFolder,
        ...isWhole2 && { disable_cpu_ep_fallback: "1" }
      },
      ...isWideningDelayed && WITHOUT_FOLDING
    }
  };
}
var WITHOUT_FOLDING;
var init_session_settings = __esm({
  "src/runtime/session-settings.ts"() {
    "use strict";
    WITHOUT_FOLDING = {
      optimization: { disable_specified_optimizers: "ConstantFolding;FuseFp16InitializerToFp32NodeTransformer" }
    };
  }
});

// src/onnx/dtype.ts
function dtypeFromSafetensors(name) {
  return Object.keys(DTYPES).find((dtype) => DTYPES[dtype].safetensors === name);
}
var DTYPES, onnxCodeOf, byteSizeOf, safetensorsNameOf;
var init_dtype = __esm({
  "src/onnx/dtype.ts"() {
    "use strict";
    DTYPES = {
      float64: { onnxCode: 11, byteSize: 8, safetensors: "F64" },
      float32: { onnxCode: 1, byteSize: 4, safetensors: "F32" },
      float16: { onnxCode: 10, byteSize: 2, safetensors: "F16" },
      bfloat16: { onnxCode: 16, byteSize: 2, safetensors: "BF16" },
      float8e4m3fn: { onnxCode: 17, byteSize: 1, safetensors: "F8_E4M3" },
      float8e5m2: { onnxCode: 19, byteSize: 1, safetensors: "F8_E5M2" },
      int64: { onnxCode: 7, byteSize: 8, safetensors: "I64" },
      int32: { onnxCode: 6, byteSize: 4, safetensors: "I32" },
      int16: { onnxCode: 5, byteSize: 2, safetensors: "I16" },
      int8: { onnxCode: 3, byteSize: 1, safetensors: "I8" },
      uint64: { onnxCode: 13, byteSize: 8, safetensors: "U64" },
      uint32: { onnxCode: 12, byteSize: 4, safetensors: "U32" },
      uint16: { onnxCode: 4, byteSize: 2, safetensors: "U16" },
      uint8: { onnxCode: 2, byteSize: 1, safetensors: "U8" },
      bool: { onnxCode: 9, byteSize: 1, safetensors: "BOOL" }
    };
    onnxCodeOf = (dtype) => DTYPES[dtype].onnxCode;
    byteSizeOf = (dtype) => DTYPES[dtype].byteSize;
    safetensorsNameOf = (dtype) => DTYPES[dtype].safetensors;
  }
});

// src/onnx/proto.ts
function varint(value) {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes2 = [];
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes2.push(rest === 0n ? low : low | 128);
  } while (rest !== 0n);
  return Uint8Array.from(bytes2);
}
function concatBytes(parts) {
  const whole = new Uint8Array(byteCount(parts));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}
function attributeProto(name, attribute) {
  const head = text(1, name);
  switch (attribute.kind) {
    case "float":
      return [...head, ...float(2, attribute.value), ...int(20, 1)];
    case "int":
      return [...head, ...int(3, attribute.value), ...int(20, 2)];
    case "string":
      return [...head, ...text(4, attribute.value), ...int(20, 3)];
    case "ints":
      return [...head, ...attribute.value.flatMap((value) => int(8, value)), ...int(20, 7)];
  }
}
function nodeProto(node) {
  return [
    ...node.inputs.flatMap((input2) => text(1, input2)),
    ...node.outputs.flatMap((output) => text(2, output)),
    ...text(3, node.name),
    ...text(4, node.opType),
    ...Object.entries(node.attributes).flatMap(([name, value]) => message(5, attributeProto(name, value))),
    ...text(7, node.domain)
  ];
}
function tensorProto(name, dtype, shape, data) {
  const head = [...shape.flatMap((dim) => int(1, dim)), ...int(2, onnxCodeOf(dtype)), ...text(8, name)];
  if (data.kind === "inline") return [...head, ...bytes(9, data.bytes)];
  const entry2 = (key, value) => message(13, [...text(1, key), ...text(2, value)]);
  return [
    ...head,
    ...entry2("location", data.location),
    ...entry2("offset", String(data.byteOffset)),
    ...entry2("length", String(data.byteLength)),
    ...int(14, 1)
  ];
}
function valueInfoProto(name, dtype, shape) {
  const dims = shape.flatMap((dim) => message(1, typeof dim === "number" ? int(1, dim) : text(2, dim)));
  const tensorType = [...int(1, onnxCodeOf(dtype)), ...message(2, dims)];
  return [...text(1, name), ...message(2, message(1, tensorType))];
}
function graphProto(graph) {
  return [
    ...graph.nodes.flatMap((node) => message(1, node)),
    ...text(2, graph.name),
    ...graph.initializers.flatMap((tensor) => message(5, tensor)),
    ...graph.inputs.flatMap((input2) => message(11, input2)),
    ...graph.outputs.flatMap((output) => message(12, output))
  ];
}
function modelProto(graph, opsets) {
  return [
    ...int(1, IR_VERSION),
    ...text(2, "retouch"),
    ...message(7, graph),
    ...Object.entries(opsets).flatMap(
      ([domain, version]) => message(8, [...text(1, domain), ...int(2, version)])
    )
  ];
}
var WIRE_VARINT, WIRE_BYTES, WIRE_FLOAT, utf8, tag, byteCount, int, bytes, text, message, float, IR_VERSION;
var init_proto = __esm({
  "src/onnx/proto.ts"() {
    "use strict";
    init_dtype();
    WIRE_VARINT = 0;
    WIRE_BYTES = 2;
    WIRE_FLOAT = 5;
    utf8 = new TextEncoder();
    tag = (field, wire) => varint(field * 8 + wire);
    byteCount = (parts) => parts.reduce((sum, part) => sum + part.byteLength, 0);
    int = (field, value) => [tag(field, WIRE_VARINT), varint(value)];
    bytes = (field, value) => [
      tag(field, WIRE_BYTES),
      varint(value.byteLength),
      value
    ];
    text = (field, value) => bytes(field, utf8.encode(value));
    message = (field, parts) => [
      tag(field, WIRE_BYTES),
      varint(byteCount(parts)),
      ...parts
    ];
    float = (field, value) => [
      tag(field, WIRE_FLOAT),
      new Uint8Array(Float32Array.of(value).buffer)
    ];
    IR_VERSION = 11;
  }
});

// src/onnx/graph.ts
function input(name, dtype, shape) {
  return { dtype, shape, origin: { kind: "input", name } };
}
function externalTensor(name, dtype, shape, range) {
  return { dtype, shape, origin: { kind: "initializer", name, data: { kind: "external", ...range } } };
}
function constant(values, shape) {
  const dtype = values instanceof Float32Array ? "float32" : values instanceof Uint8Array ? "uint8" : "int64";
  return constantOf(dtype, new Uint8Array(values.buffer, values.byteOffset, values.byteLength), shape);
}
function constantOf(dtype, bytes2, shape) {
  const expected = shape.reduce((product2, dim) => product2 * dim, 1) * byteSizeOf(dtype);
  if (bytes2.byteLength !== expected) {
    throw new Error(
      `A constant of shape ${showShape(shape)} needs ${expected} bytes, not ${bytes2.byteLength}.`
    );
  }
  return { dtype, shape, origin: { kind: "initializer", name: "", data: { kind: "inline", bytes: bytes2 } } };
}
function makeNode(opType, inputs, outputs, options = {}) {
  const { attributes = {}, domain = "" } = options;
  return outputsOf({ opType, domain, inputs, attributes, outputs });
}
function serialise(name, outputs) {
  const order = weightsFirst(nodesInOrder(Object.values(outputs)));
  const names = new NameTable();
  for (const [outputName, value] of Object.entries(outputs)) names.setOutput(value, outputName);
  const inputs = /* @__PURE__ */ new Map();
  const initializers = /* @__PURE__ */ new Map();
  const named = /* @__PURE__ */ new Map();
  const nodes = order.map((node) => {
    const nodeName = names.ofNode(node);
    const inputNames = node.inputs.map((value) => {
      if (value === void 0) return "";
      const valueName = names.ofValue(value);
      if (value.origin.kind !== "node" && (named.get(valueName) ?? value) !== value) {
        throw new Error(`Two tensors of the model ${name} are called ${valueName}.`);
      }
      named.set(valueName, value);
      if (value.origin.kind === "input") inputs.set(valueName, value);
      if (value.origin.kind === "initializer") initializers.set(valueName, { ...value.origin.data, value });
      return valueName;
    });
    const outputNames = node.outputs.map((_, index) => names.ofOutput(node, index));
    return nodeProto({ ...node, name: nodeName, inputs: inputNames, outputs: outputNames });
  });
  const graph = graphProto({
    name,
    nodes,
    initializers: [...initializers].map(
      ([key, { value, ...data }]) => tensorProto(key, value.dtype, value.shape, data)
    ),
    inputs: [...inputs].map(([key, value]) => valueInfoProto(key, value.dtype, value.shape)),
    outputs: Object.entries(outputs).map(
      ([key, value]) => valueInfoProto(key, value.dtype, value.shape)
    )
  });
  return {
    model: concatBytes(modelProto(graph, OPSETS)),
    hostNodes: order.filter(({ isOnHost }) => isOnHost).map((node) => names.ofNode(node))
  };
}
function inputsOf(outputs) {
  const inputs = /* @__PURE__ */ new Map();
  for (const operator of operatorsOf(outputs)) {
    for (const value of operator.inputs) {
      if (value?.origin.kind === "input") inputs.set(value.origin.name, value);
    }
  }
  return [...inputs].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
}
function rewrite(outputs, replace) {
  const known = /* @__PURE__ */ new Map();
  const rewritten = (value) => {
    const { origin } = value;
    return origin.kind === "node" ? known.get(origin.node)?.[origin.outputIndex] ?? value : value;
  };
  for (const node of nodesInOrder(Object.values(outputs))) {
    const inputs = node.inputs.map((value) => value && rewritten(value));
    const isSame3 = inputs.every((value, index) => value === node.inputs[index]);
    const current = isSame3 ? node : { ...node, inputs };
    const replaced2 = replace(current) ?? (isSame3 ? void 0 : outputsOf(current));
    if (replaced2) known.set(node, replaced2);
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, rewritten(value)]));
}
function onHost(value) {
  if (value.origin.kind !== "node") throw new Error("Only what a node computes has a place.");
  return remade(value.origin.node, { isOnHost: true })[value.origin.outputIndex];
}
function widenedFrom(value) {
  if (value.dtype !== "float32" || value.origin.kind !== "node") return void 0;
  const { opType, inputs } = value.origin.node;
  return opType === "Cast" ? inputs[0] : void 0;
}
function nodesInOrder(outputs) {
  const order = [];
  const seen = /* @__PURE__ */ new Set();
  const stack = outputs.flatMap(
    (value) => value.origin.kind === "node" ? [{ node: value.origin.node, next: 0 }] : []
  );
  stack.reverse();
  while (stack.length > 0) {
    const top = stack.at(-1);
    if (top.next === 0 && seen.has(top.node)) {
      stack.pop();
      continue;
    }
    seen.add(top.node);
    const value = top.node.inputs[top.next];
    if (top.next < top.node.inputs.length) {
      top.next += 1;
      if (value?.origin.kind === "node" && !seen.has(value.origin.node)) {
        stack.push({ node: value.origin.node, next: 0 });
      }
      continue;
    }
    order.push(top.node);
    stack.pop();
  }
  return order;
}
function weightsFirst(order) {
  const ofWeights = /* @__PURE__ */ new Set();
  for (const node of order) {
    const isOfWeights = node.inputs.every(
      (value) => value === void 0 || value.origin.kind === "initializer" || value.origin.kind === "node" && ofWeights.has(value.origin.node)
    );
    if (isOfWeights) ofWeights.add(node);
  }
  return [...ofWeights, ...order.filter((node) => !ofWeights.has(node))];
}
var OPSETS, floats, scalar, ints, outputsOf, buildModel, operatorsOf, remade, showShape, NameTable;
var init_graph = __esm({
  "src/onnx/graph.ts"() {
    "use strict";
    init_dtype();
    init_proto();
    OPSETS = { "": 23, "com.microsoft": 1 };
    floats = (values, shape = [values.length]) => constant(Float32Array.from(values), shape);
    scalar = (value) => floats([value], []);
    ints = (values) => constant(
      BigInt64Array.from(values, (value) => BigInt(value)),
      [values.length]
    );
    outputsOf = (node) => node.outputs.map(({ dtype, shape }, outputIndex) => ({
      dtype,
      shape,
      origin: { kind: "node", node, outputIndex }
    }));
    buildModel = (name, outputs) => serialise(name, outputs).model;
    operatorsOf = (outputs) => nodesInOrder(Object.values(outputs));
    remade = (operator, changes) => outputsOf({ ...operator, ...changes });
    showShape = (shape) => `[${shape.join(", ")}]`;
    NameTable = class {
      #nodes = /* @__PURE__ */ new Map();
      #constants = /* @__PURE__ */ new Map();
      #outputs = /* @__PURE__ */ new Map();
      #counts = /* @__PURE__ */ new Map();
      setOutput(value, name) {
        if (value.origin.kind !== "node") throw new Error(`The output ${name} is not computed by a node.`);
        const { node, outputIndex } = value.origin;
        const known = this.#outputs.get(node) ?? /* @__PURE__ */ new Map();
        if (known.has(outputIndex)) {
          throw new Error(`The outputs ${known.get(outputIndex)} and ${name} are the same tensor.`);
        }
        this.#outputs.set(node, known.set(outputIndex, name));
      }
      ofNode(node) {
        const known = this.#nodes.get(node);
        if (known) return known.name;
        const scope = this.#scopeOf(node);
        const name = this.#unique(scope === "" ? node.opType : `${scope}/${node.opType}`);
        this.#nodes.set(node, { name, scope });
        return name;
      }
      ofOutput(node, index) {
        return this.#outputs.get(node)?.get(index) ?? (index === 0 ? this.ofNode(node) : `${this.ofNode(node)}:${index}`);
      }
      ofValue(value) {
        const { origin } = value;
        if (origin.kind === "node") return this.ofOutput(origin.node, origin.outputIndex);
        if (origin.name !== "") return origin.name;
        const known = this.#constants.get(value) ?? this.#unique("constant");
        this.#constants.set(value, known);
        return known;
      }
      #scopeOf(node) {
        for (const value of node.inputs) {
          if (value?.origin.kind === "initializer" && value.origin.name !== "") {
            return value.origin.name.split(".").slice(0, -1).join(".");
          }
        }
        for (const value of node.inputs) {
          if (value?.origin.kind === "node") return this.#nodes.get(value.origin.node)?.scope ?? "";
        }
        return "";
      }
      #unique(base) {
        const count = (this.#counts.get(base) ?? 0) + 1;
        this.#counts.set(base, count);
        return count === 1 ? base : `${base}_${count}`;
      }
    };
  }
});

// src/onnx/ops.ts
function one(opType, inputs, shape, options) {
  const dtype = inputs[0].dtype;
  return makeNode(opType, inputs, [{ dtype, shape }], options)[0];
}
function cast(x, dtype) {
  if (x.dtype === dtype) return x;
  const narrow2 = widenedFrom(x);
  if (narrow2) return cast(narrow2, dtype);
  const attributes = { to: int2(onnxCodeOf(dtype)) };
  return makeNode("Cast", [x], [{ dtype, shape: x.shape }], { attributes })[0];
}
function typeOf(x) {
  const { dtype } = x;
  if (dtype === "float32" || dtype === "float16" || dtype === "bfloat16") return dtype;
  throw new Error(`No layer computes in ${dtype}.`);
}
function checkTypes(opType, values) {
  const types = values.flatMap((value) => value ? [value.dtype] : []);
  if (new Set(types).size > 1) throw new Error(`${opType} of ${types.join(", ")}: the types differ.`);
}
function reshape(x, shape) {
  const unknown = shape.filter((dim) => typeof dim === "string");
  if (unknown.length > 1) throw new Error(`Reshape to ${showShape(shape)}: more than one unknown dimension.`);
  if (unknown.length === 0 && x.shape.every((dim) => typeof dim === "number") && product(shape) !== product(x.shape)) {
    throw new Error(`Reshape of ${showShape(x.shape)} to ${showShape(shape)}: the element counts differ.`);
  }
  return one("Reshape", [x, ints(shape.map((dim) => typeof dim === "number" ? dim : -1))], shape);
}
function depthToSpace(x, side) {
  const [batch, channels, height, width] = x.shape;
  const times = (dim) => typeof dim === "number" ? dim * side : `${side}*${dim}`;
  const attributes = { blocksize: int2(side), mode: text2("CRD") };
  return one("DepthToSpace", [x], [batch, channels / side ** 2, times(height), times(width)], { attributes });
}
function spaceToDepth(x, side) {
  const [, channels, height, width] = x.shape;
  const part = (dim) => typeof dim === "number" ? dim / side : `${dim}/${side}`;
  const [h, w] = [part(height), part(width)];
  const reshaped = (from, batch, depth, rows2, columns) => one("Reshape", [from, ints([batch, depth, 0, 0])], [batch, depth, rows2, columns]);
  const attributes = { blocksize: int2(side) };
  const alone = reshaped(x, channels, 1, height, width);
  const deep = one("SpaceToDepth", [alone], [channels, side ** 2, h, w], { attributes });
  return reshaped(deep, 1, channels * side ** 2, h, w);
}
function concat(values, axis, outName = "joined") {
  checkTypes("Concat", values);
  const first = values[0].shape;
  for (const { shape } of values) {
    if (showShape(shape.with(axis, 0)) !== showShape(first.with(axis, 0))) {
      throw new Error(`Concat of ${showShape(first)} and ${showShape(shape)} along axis ${axis}.`);
    }
  }
  const dims = values.map((value) => value.shape[axis]);
  const sum = dims.every((dim) => typeof dim === "number") ? total(dims) : outName;
  return one("Concat", values, first.with(axis, sum), { attributes: { axis: int2(axis) } });
}
function split(x, count, axis) {
  const dim = x.shape[axis];
  if (typeof dim !== "number" || dim % count !== 0) {
    throw new Error(`Split of ${showShape(x.shape)} into ${count} along axis ${axis}.`);
  }
  return splitSizes(
    x,
    Array.from({ length: count }, () => dim / count),
    axis
  );
}
function splitSizes(x, sizes, axis, maxParts = MAX_PARTS) {
  if (total(sizes) !== x.shape[axis]) {
    throw new Error(`Split of ${showShape(x.shape)} into ${sizes.join(", ")} along axis ${axis}.`);
  }
  if (sizes.length === 1) return [x];
  if (sizes.length > maxParts) {
    const groups = inGroups(sizes, maxParts);
    const parts2 = splitSizes(x, groups.map(total), axis, maxParts);
    return parts2.flatMap((part, index) => splitSizes(part, groups[index], axis, maxParts));
  }
  const parts = sizes.map((size) => ({ dtype: x.dtype, shape: x.shape.with(axis, size) }));
  return makeNode("Split", [x, ints(sizes)], parts, { attributes: { axis: int2(axis) } });
}
function inGroups(items, maxGroups) {
  let size = 1;
  while (size * maxGroups < items.length) size *= maxGroups;
  return Array.from(
    { length: Math.ceil(items.length / size) },
    (_, index) => items.slice(index * size, (index + 1) * size)
  );
}
function reshapeLike(x, like) {
  const shapeOf2 = makeNode("Shape", [like], [{ dtype: "int64", shape: [like.shape.length] }])[0];
  return one("Reshape", [x, shapeOf2], like.shape);
}
function fractionOf(x, axis, part, parts) {
  const dim = x.shape[axis];
  if (typeof dim === "number") return ints([Math.floor(dim * part / parts)]);
  return div(mul(sizeAlong(x, axis), ints([part])), ints([parts]));
}
function gemm(x, weight2, bias) {
  if (x.shape.length !== 2 || x.shape[1] !== weight2.shape[1]) {
    throw new Error(`Gemm of ${showShape(x.shape)} with a weight of ${showShape(weight2.shape)}.`);
  }
  const inputs = bias ? [x, weight2, bias] : [x, weight2];
  checkTypes("Gemm", inputs);
  return one("Gemm", inputs, [x.shape[0], weight2.shape[0]], { attributes: { transB: int2(1) } });
}
function matmul(a, b) {
  const isFitting2 = a.shape.length === b.shape.length && showShape(a.shape.slice(0, -2)) === showShape(b.shape.slice(0, -2)) && a.shape.at(-1) === b.shape.at(-2);
  if (!isFitting2) throw new Error(`MatMul of ${showShape(a.shape)} and ${showShape(b.shape)}.`);
  checkTypes("MatMul", [a, b]);
  return one("MatMul", [a, b], [...a.shape.slice(0, -1), b.shape.at(-1)]);
}
function matmulNBits(x, matrix2, bias) {
  const { bits: bits2, blockSize, blocks, scales, accuracyLevel } = matrix2;
  const [rowCount2, columns] = matrix2.shape;
  const count = Math.ceil(columns / blockSize);
  const isFitting2 = showShape(blocks.shape) === showShape([rowCount2, count, blockSize * bits2 / 8]) && showShape(scales.shape) === showShape([rowCount2, count]);
  if (x.shape.length !== 2 || x.shape[1] !== columns || !isFitting2) {
    throw new Error(
      `MatMulNBits of ${showShape(x.shape)} with ${bits2}-bit blocks ${showShape(blocks.shape)} and scales ${showShape(scales.shape)} for ${showShape(matrix2.shape)}.`
    );
  }
  checkTypes("MatMulNBits", [x, scales, bias]);
  const attributes = {
    K: int2(columns),
    N: int2(rowCount2),
    bits: int2(bits2),
    block_size: int2(blockSize),
    accuracy_level: int2(accuracyLevel)
  };
  const inputs = bias ? [x, blocks, scales, void 0, void 0, bias] : [x, blocks, scales];
  return one("MatMulNBits", inputs, [x.shape[0], rowCount2], { attributes, domain: "com.microsoft" });
}
function conv2d(x, weight2, bias, options = {}) {
  const { stride = 1, padding = [0, 0, 0, 0], groups = 1 } = options;
  const [batch, channels, height, width] = x.shape;
  const [outChannels, inChannels, kernelHeight, kernelWidth] = weight2.shape;
  if (channels !== inChannels * groups || outChannels % groups !== 0) {
    const parts = groups === 1 ? "" : ` in ${groups} groups`;
    throw new Error(`Conv of ${showShape(x.shape)} with a weight of ${showShape(weight2.shape)}${parts}.`);
  }
  const outOf = (dim, kernel, padded) => {
    if (typeof dim === "number") return Math.floor((dim + padded - kernel) / stride) + 1;
    if (padded !== kernel - stride) {
      throw new Error(`Conv of ${showShape(x.shape)}: a padding of ${padded} gives the size ${dim} no name.`);
    }
    return stride === 1 ? dim : `${dim}/${stride}`;
  };
  const shape = [
    batch,
    outChannels,
    outOf(height, kernelHeight, padding[0] + padding[2]),
    outOf(width, kernelWidth, padding[1] + padding[3])
  ];
  const attributes = {
    strides: intList([stride, stride]),
    pads: intList(padding),
    ...groups > 1 && { group: int2(groups) }
  };
  return one("Conv", bias ? [x, weight2, bias] : [x, weight2], shape, { attributes });
}
function upsampleNearest(x) {
  const [batch, channels, height, width] = x.shape;
  const twice = (dim) => typeof dim === "number" ? dim * 2 : `2*${dim}`;
  return one("Resize", [x, void 0, floats([1, 1, 2, 2])], [batch, channels, twice(height), twice(width)], {
    attributes: {
      mode: text2("nearest"),
      nearest_mode: text2("floor"),
      coordinate_transformation_mode: text2("asymmetric")
    }
  });
}
function layerNorm(x, scale, shift, epsilon) {
  checkVectors("LayerNormalization", x, shift ? [scale, shift] : [scale]);
  return one("LayerNormalization", shift ? [x, scale, shift] : [x, scale], x.shape, {
    attributes: { axis: int2(-1), epsilon: float2(epsilon) }
  });
}
function rmsNorm(x, scale, epsilon) {
  checkVectors("RMSNormalization", x, [scale]);
  return one("RMSNormalization", [x, scale], x.shape, {
    attributes: { axis: int2(-1), epsilon: float2(epsilon) }
  });
}
function checkVectors(opType, x, vectors) {
  checkTypes(opType, [x, ...vectors]);
  for (const { shape } of vectors) {
    if (shape.length !== 1 || shape[0] !== x.shape.at(-1)) {
      throw new Error(`${opType} of ${showShape(x.shape)} with a vector of ${showShape(shape)}.`);
    }
  }
}
function groupNorm(x, scale, shift, groups, epsilon) {
  const channels = x.shape[1];
  const groupMean = (value) => reduceMean(reshape(reduceMean(value, 3), [groups, "rows"]), 1);
  const perChannel = (value) => reshape(expand(value, [groups, channels / groups]), [1, channels, 1, 1]);
  const centred = sub(x, perChannel(groupMean(x)));
  const variance = groupMean(mul(centred, centred));
  const inverse = reciprocal(sqrt(add(variance, scalar(epsilon))));
  const channelScale = mul(perChannel(inverse), reshape(scale, [1, channels, 1, 1]));
  return add(mul(centred, channelScale), reshape(shift, [1, channels, 1, 1]));
}
function rotaryEmbedding(x, cosines, sines, numHeads, { isInterleaved = true } = {}) {
  const wanted = showShape([...x.shape.slice(0, 2), x.shape[2] / numHeads / 2]);
  if (showShape(cosines.shape) !== wanted || showShape(sines.shape) !== wanted) {
    throw new Error(
      `RotaryEmbedding of ${showShape(x.shape)} with ${numHeads} heads needs angles of ${wanted}, not ${showShape(cosines.shape)} and ${showShape(sines.shape)}.`
    );
  }
  checkTypes("RotaryEmbedding", [x, cosines, sines]);
  return one("RotaryEmbedding", [x, cosines, sines], x.shape, {
    attributes: { interleaved: int2(isInterleaved ? 1 : 0), num_heads: int2(numHeads) }
  });
}
function attention(query, key, value, options) {
  const { numHeads, scale, bias } = options;
  const [width, isKeyWide] = [query.shape[2], query.shape[2] === key.shape[2]];
  if (!isKeyWide || width % numHeads !== 0 || key.shape[1] !== value.shape[1]) {
    const shapes = [query, key, value].map(({ shape }) => showShape(shape)).join(", ");
    throw new Error(`MultiHeadAttention of ${shapes} with ${numHeads} heads.`);
  }
  const attributes = { num_heads: int2(numHeads), ...scale === void 0 ? {} : { scale: float2(scale) } };
  const inputs = bias ? [query, key, value, void 0, void 0, bias] : [query, key, value];
  checkTypes("MultiHeadAttention", inputs);
  return one("MultiHeadAttention", inputs, query.shape, { attributes, domain: "com.microsoft" });
}
function biasedAttention(query, key, value, { numHeads, bias }) {
  const [width, scores] = [query.shape[2], [1, 1, query.shape[1], key.shape[1]]];
  const isFitting2 = width === key.shape[2] && showShape(key.shape) === showShape(value.shape);
  if (!isFitting2 || width % numHeads !== 0 || showShape(bias.shape) !== showShape(scores)) {
    const shapes = [query, key, value, bias].map(({ shape }) => showShape(shape)).join(", ");
    throw new Error(`Attention of ${shapes} with ${numHeads} heads.`);
  }
  checkTypes("Attention", [query, key, value, bias]);
  return one("Attention", [query, key, value, bias], query.shape, {
    attributes: { q_num_heads: int2(numHeads), kv_num_heads: int2(numHeads) }
  });
}
function causalBias(length2) {
  const bias = new Float32Array(length2 * length2);
  for (let row = 0; row < length2; row += 1) bias.fill(-3e38, row * length2 + row + 1, (row + 1) * length2);
  return constant(bias, [1, 1, length2, length2]);
}
function alongLast(opType, x, vector2) {
  checkTypes(opType, [x, vector2]);
  if (vector2.shape.length !== 1)
    throw new Error(`${opType} along the last axis of ${showShape(vector2.shape)}.`);
  return one(opType, [x, vector2], x.shape);
}
function broadcast(opType, a, b) {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, index) => {
    const left = a[index - rank + a.length] ?? 1;
    const right = b[index - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw new Error(`${opType} of ${showShape(a)} and ${showShape(b)}: the shapes do not broadcast.`);
    }
    return left === 1 ? right : left;
  });
}
var int2, float2, text2, intList, binary, unary, add, sub, mul, div, scaledLast, shiftedLast, sigmoid, tanh, erf, softplus, cos, sin, relu, sqrt, reciprocal, clip, softmax, silu, quickGelu, gelu, toFloat32, transpose, MAX_PARTS, rows, MAX_ROWS, rowsLike, rowsAfter, firstAlong, between, sizeAlong, rowCount, gather, expand, reduceMean, total, product;
var init_ops = __esm({
  "src/onnx/ops.ts"() {
    "use strict";
    init_dtype();
    init_graph();
    int2 = (value) => ({ kind: "int", value });
    float2 = (value) => ({ kind: "float", value });
    text2 = (value) => ({ kind: "string", value });
    intList = (value) => ({ kind: "ints", value });
    binary = (opType) => (a, b) => {
      checkTypes(opType, [a, b]);
      return one(opType, [a, b], broadcast(opType, a.shape, b.shape));
    };
    unary = (opType) => (x) => one(opType, [x], x.shape);
    add = binary("Add");
    sub = binary("Sub");
    mul = binary("Mul");
    div = binary("Div");
    scaledLast = (x, factors) => alongLast("Mul", x, factors);
    shiftedLast = (x, shifts) => alongLast("Add", x, shifts);
    sigmoid = unary("Sigmoid");
    tanh = unary("Tanh");
    erf = unary("Erf");
    softplus = unary("Softplus");
    cos = unary("Cos");
    sin = unary("Sin");
    relu = unary("Relu");
    sqrt = unary("Sqrt");
    reciprocal = unary("Reciprocal");
    clip = (x, min, max) => one("Clip", [x, cast(scalar(min), typeOf(x)), cast(scalar(max), typeOf(x))], x.shape);
    softmax = (x) => one("Softmax", [x], x.shape, { attributes: { axis: int2(-1) } });
    silu = (x) => mul(x, sigmoid(x));
    quickGelu = (x) => mul(x, sigmoid(mul(x, scalar(1.702))));
    gelu = (x, { approximate }) => one("Gelu", [x], x.shape, { attributes: { approximate: text2(approximate ? "tanh" : "none") } });
    toFloat32 = (x) => cast(x, "float32");
    transpose = (x, permutation) => one(
      "Transpose",
      [x],
      permutation.map((axis) => x.shape[axis]),
      { attributes: { perm: intList(permutation) } }
    );
    MAX_PARTS = 8;
    rows = (x, start, end, outDim) => one("Slice", [x, ints([start]), ints([Math.min(end, MAX_ROWS)]), ints([0])], x.shape.with(0, outDim));
    MAX_ROWS = 2 ** 31;
    rowsLike = (x, like) => firstAlong(x, 0, rowCount(like), like.shape[0]);
    rowsAfter = (x, like, outDim) => one("Slice", [x, rowCount(like), ints([MAX_ROWS]), ints([0])], x.shape.with(0, outDim));
    firstAlong = (x, axis, count, outDim) => one("Slice", [x, ints([0]), count, ints([axis])], x.shape.with(axis, outDim));
    between = (x, axis, start, end, outDim) => one("Slice", [x, start, end, ints([axis])], x.shape.with(axis, outDim));
    sizeAlong = (x, axis) => makeNode("Shape", [x], [{ dtype: "int64", shape: [1] }], {
      attributes: { start: int2(axis), end: int2(axis + 1) }
    })[0];
    rowCount = (x) => sizeAlong(x, 0);
    gather = (table, indices2) => one("Gather", [table, indices2], [...indices2.shape, ...table.shape.slice(1)], {
      attributes: { axis: int2(0) }
    });
    expand = (x, shape) => one("Expand", [x, ints(shape.map((dim) => typeof dim === "number" ? dim : 1))], shape);
    reduceMean = (x, axis) => one("ReduceMean", [x, ints([axis])], x.shape.with(axis, 1));
    total = (sizes) => sizes.reduce((sum, size) => sum + size, 0);
    product = (shape) => shape.reduce((result, dim) => result * dim, 1);
  }
});

// src/onnx/forms/attributes.ts
function intOf(attributes, name) {
  const attribute = attributes[name];
  if (attribute?.kind !== "int") throw new Error(`There is no whole number ${name} among the attributes.`);
  return attribute.value;
}
function floatOf(attributes, name) {
  const attribute = attributes[name];
  return attribute?.kind === "float" ? attribute.value : void 0;
}
var init_attributes = __esm({
  "src/onnx/forms/attributes.ts"() {
    "use strict";
  }
});

// src/onnx/forms/attention.ts
function writtenAttention(node, options) {
  const { opType, inputs, attributes } = node;
  const operator = OPERATORS[opType];
  if (!operator) return void 0;
  const [query, key, value] = inputs;
  const bias = inputs[operator.biasInput];
  const numHeads = intOf(attributes, operator.heads);
  if (intOf(attributes, operator.keyHeads) !== numHeads) {
    throw new Error(`${opType} whose queries share heads of the keys is not written out.`);
  }
  const scale = floatOf(attributes, "scale") ?? 1 / Math.sqrt(query.shape[2] / numHeads);
  const scaled3 = mul(query, cast(scalar(scale), typeOf(query)));
  const queries = inHeads(scaled3, numHeads);
  const keys = transposed(inHeads(key, numHeads));
  const values = inHeads(value, numHeads);
  const attended2 = inTurns(queries, bias, numTurns(node, options), (some, biasOfSome) => {
    const scores = matmul(some, keys);
    const wide = toFloat32(biasOfSome ? add(scores, biasOfSome) : scores);
    return matmul(cast(softmax(wide), typeOf(value)), values);
  });
  const { shape } = query;
  return [reshape(transpose(attended2, [0, 2, 1, 3]), [1, shape[1], value.shape[2]])];
}
function inHeads(x, numHeads) {
  const [, length2, width] = x.shape;
  const size = width / numHeads;
  if (numHeads === 1) return reshape(x, [1, 1, length2, size]);
  return transpose(reshape(x, [1, length2, numHeads, size]), [0, 2, 1, 3]);
}
function numTurns({ opType, inputs, attributes }, { maxTensorBytes, sizes }) {
  const operator = OPERATORS[opType];
  if (!operator) return 0;
  const [query, key] = inputs;
  const sizeOf2 = (dim) => typeof dim === "number" ? dim : sizes[dim] ?? 0;
  const rowBytes2 = FLOAT * intOf(attributes, operator.heads) * sizeOf2(key.shape[1]);
  const rowsAtOnce2 = Math.max(1, Math.floor(maxTensorBytes / rowBytes2));
  return Math.max(1, Math.ceil(sizeOf2(query.shape[1]) / rowsAtOnce2));
}
function inTurns(queries, bias, turns, attend2) {
  if (turns === 1) return attend2(queries, bias);
  const dim = queries.shape[2];
  const bounds = Array.from({ length: turns + 1 }, (_, turn) => fractionOf(queries, 2, turn, turns));
  const parts = Array.from({ length: turns }, (_, turn) => {
    const part = (x) => between(x, 2, bounds[turn], bounds[turn + 1], `${dim} of turn ${turn}`);
    return attend2(part(queries), bias && part(bias));
  });
  return concat(parts, 2, String(dim));
}
var FLOAT, OPERATORS, transposed;
var init_attention = __esm({
  "src/onnx/forms/attention.ts"() {
    "use strict";
    init_graph();
    init_ops();
    init_attributes();
    FLOAT = 4;
    OPERATORS = {
      MultiHeadAttention: { heads: "num_heads", keyHeads: "num_heads", biasInput: 5 },
      Attention: { heads: "q_num_heads", keyHeads: "kv_num_heads", biasInput: 3 }
    };
    transposed = (x) => transpose(x, [0, 1, 3, 2]);
  }
});

// src/onnx/forms/bindings.ts
function splitInTurns({ opType, inputs, outputs, attributes }, max) {
  if (opType !== "Split" || outputs.length <= max) return void 0;
  const axis = intOf(attributes, "axis");
  const sizes = outputs.map(({ shape }) => shape[axis]);
  return splitSizes(inputs[0], sizes, axis, max);
}
var init_bindings = __esm({
  "src/onnx/forms/bindings.ts"() {
    "use strict";
    init_ops();
    init_attributes();
  }
});

// src/onnx/forms/weights.ts
function isWeight({ origin }) {
  if (origin.kind !== "node") return origin.kind === "initializer";
  const { opType, inputs } = origin.node;
  return STEPS.has(opType) && inputs.every((value) => value !== void 0 && isWeight(value));
}
function rowsOfWeight(weight2, start, end) {
  const { origin, dtype, shape } = weight2;
  const numRows = shape[0];
  const cut2 = [end - start, ...shape.slice(1)];
  if (origin.kind === "input") throw new Error(`The input ${origin.name} is no weight.`);
  if (origin.kind === "initializer") {
    const { data, name } = origin;
    const bytesOfRow = byteLengthOf(weight2) / numRows;
    const [from, to] = [start * bytesOfRow, end * bytesOfRow];
    if (data.kind === "inline") return constantOf(dtype, data.bytes.subarray(from, to), cut2);
    const range = { location: data.location, byteOffset: data.byteOffset + from, byteLength: to - from };
    return externalTensor(`${name}[${start}:${end}]`, dtype, cut2, range);
  }
  const operator = origin.node;
  if (operator.opType === "Concat") {
    let first = 0;
    const parts = operator.inputs.flatMap((part) => {
      const offset = first;
      first += part.shape[0];
      const [from, to] = [Math.max(start, offset), Math.min(end, first)];
      return from < to ? [rowsOfWeight(part, from - offset, to - offset)] : [];
    });
    return parts.length === 1 ? parts[0] : concat(parts, 0);
  }
  const inputs = operator.inputs.map(
    (value) => value.shape.length > 0 && value.shape[0] === numRows ? rowsOfWeight(value, start, end) : value
  );
  return remade(operator, { inputs, outputs: [{ dtype, shape: cut2 }] })[0];
}
var STEPS, byteLengthOf;
var init_weights = __esm({
  "src/onnx/forms/weights.ts"() {
    "use strict";
    init_dtype();
    init_graph();
    init_ops();
    STEPS = /* @__PURE__ */ new Set(["Cast", "Concat", "Mul"]);
    byteLengthOf = ({ shape, dtype }) => shape.reduce((product2, dim) => product2 * dim, byteSizeOf(dtype));
  }
});

// src/onnx/forms/large-weights.ts
function productInRanges(operator, maxTensorBytes) {
  const { opType, inputs, attributes, outputs } = operator;
  if (opType !== "Gemm" && opType !== "MatMulNBits") return void 0;
  const [x, ...ofRows] = inputs;
  if (!ofRows.every((value) => value === void 0 || isWeight(value))) return void 0;
  const largest = Math.max(...ofRows.map((value) => value ? byteLengthOf(value) : 0));
  const numRanges = Math.ceil(largest / maxTensorBytes);
  if (numRanges <= 1) return void 0;
  const [{ dtype, shape }] = outputs;
  const numRows = shape[1];
  const bound = (range) => Math.floor(numRows * range / numRanges);
  const parts = Array.from({ length: numRanges }, (_, range) => {
    const [start, end] = [bound(range), bound(range + 1)];
    return remade(operator, {
      inputs: [x, ...ofRows.map((value) => value && rowsOfWeight(value, start, end))],
      attributes: "N" in attributes ? { ...attributes, N: { kind: "int", value: end - start } } : attributes,
      outputs: [{ dtype, shape: [shape[0], end - start] }]
    })[0];
  });
  return [concat(parts, 1)];
}
var init_large_weights = __esm({
  "src/onnx/forms/large-weights.ts"() {
    "use strict";
    init_graph();
    init_ops();
    init_weights();
  }
});

// src/onnx/forms/tables.ts
function largeTableOnHost(operator, maxTensorBytes) {
  const [table] = operator.inputs;
  if (operator.opType !== "Gather" || !table || !isWeight(table)) return void 0;
  const numbers = table.shape.reduce((product2, dim) => product2 * dim, 1);
  return 4 * numbers > maxTensorBytes ? remade(operator, { isOnHost: true }) : void 0;
}
var init_tables = __esm({
  "src/onnx/forms/tables.ts"() {
    "use strict";
    init_graph();
    init_weights();
  }
});

// src/onnx/forms/widen.ts
function widening() {
  const known = /* @__PURE__ */ new Map();
  const widened2 = (value) => {
    if (value.dtype === "float32") return value;
    const wide = known.get(value) ?? toFloat32(value);
    known.set(value, wide);
    return wide;
  };
  return (operator) => {
    const { opType, inputs, outputs } = operator;
    if (operator.isOnHost)
      return isHalf(outputs[0]) ? [onHost(toFloat32(remade(operator, {})[0]))] : void 0;
    if (opType === "Cast" && isFloat(outputs[0])) return [widened2(inputs[0])];
    if (![...inputs, ...outputs].some((value) => value && isHalf(value))) return void 0;
    return remade(operator, {
      inputs: inputs.map((value) => value && isHalf(value) ? widened2(value) : value),
      outputs: outputs.map(({ dtype, shape }) => ({ dtype: HALF.has(dtype) ? "float32" : dtype, shape }))
    });
  };
}
var HALF, isHalf, isFloat;
var init_widen = __esm({
  "src/onnx/forms/widen.ts"() {
    "use strict";
    init_graph();
    init_ops();
    HALF = /* @__PURE__ */ new Set(["float16", "bfloat16"]);
    isHalf = ({ dtype }) => HALF.has(dtype);
    isFloat = ({ dtype }) => dtype === "float32" || HALF.has(dtype);
  }
});

// src/onnx/kernel-forms.ts
function withForms(outputs, forms, sizes = {}) {
  const { attention: attention2, maxOutputs, maxTensorBytes, hasFloat16 } = forms;
  const replacements = [
    (operator) => largeTableOnHost(operator, maxTensorBytes),
    !hasFloat16 && widening(),
    attention2 === "written" && ((operator) => writtenAttention(operator, { maxTensorBytes, sizes })),
    (operator) => productInRanges(operator, maxTensorBytes),
    (operator) => splitInTurns(operator, maxOutputs)
  ];
  if (forms === ALL_FORMS) return outputs;
  let rewritten = outputs;
  for (const replace of replacements) if (replace) rewritten = rewrite(rewritten, replace);
  return rewritten;
}
function turnsOf(outputs, { attention: attention2, maxTensorBytes }, sizes) {
  if (attention2 === "fused") return 0;
  return Math.max(
    0,
    ...operatorsOf(outputs).map((operator) => numTurns(operator, { maxTensorBytes, sizes }))
  );
}
var ALL_FORMS;
var init_kernel_forms = __esm({
  "src/onnx/kernel-forms.ts"() {
    "use strict";
    init_attention();
    init_bindings();
    init_large_weights();
    init_tables();
    init_widen();
    init_graph();
    ALL_FORMS = {
      attention: "fused",
      maxOutputs: Infinity,
      maxTensorBytes: Infinity,
      hasFloat16: true
    };
  }
});

// src/runtime/forms-of.ts
var WEBGPU, formsOf;
var init_forms_of = __esm({
  "src/runtime/forms-of.ts"() {
    "use strict";
    init_kernel_forms();
    WEBGPU = {
      attention: "written",
      maxOutputs: 7,
      maxTensorBytes: 128 * 1024 ** 2,
      hasFloat16: false
    };
    formsOf = (device) => device === "webgpu" ? WEBGPU : ALL_FORMS;
  }
});

// src/runtime/onnxruntime.ts
function loadRuntime() {
  loading ??= load().catch((error) => {
    loading = void 0;
    throw error;
  });
  return loading;
}
async function load() {
  keepTelemetryOff();
  try {
    const runtime = await import("onnxruntime-node");
    const model2 = buildModel("first", { y: relu(input("x", "float32", [1])) });
    const first = await runtime.InferenceSession.create(model2, { intraOpNumThreads: 1, logSeverityLevel: 4 });
    await first.release();
    return runtime;
  } catch (cause) {
    throw new RetouchError("RUNTIME_FAILED", `onnxruntime cannot be loaded: ${messageOf(cause)}`, { cause });
  }
}
var loading;
var init_onnxruntime = __esm({
  "src/runtime/onnxruntime.ts"() {
    "use strict";
    init_errors();
    init_graph();
    init_ops();
    init_process_environment();
  }
});

// src/runtime/session.ts
function toRuntime({ Tensor }, { data, shape }) {
  return data instanceof Float32Array ? new Tensor("float32", data, shape) : new Tensor("int64", data, shape);
}
var Session;
var init_session = __esm({
  "src/runtime/session.ts"() {
    "use strict";
    init_errors();
    init_onnxruntime();
    init_session_settings();
    Session = class _Session {
      #runtime;
      #session;
      #name;
      constructor(runtime, session, name) {
        this.#runtime = runtime;
        this.#session = session;
        this.#name = name;
      }
      /**
       * Loads the bytes of an ONNX model.
       * @throws RetouchError RUNTIME_FAILED with the runtime's reason; as `loadRuntime` does
       */
      static async load(model2, options) {
        const { name } = options;
        const runtime = await loadRuntime();
        try {
          const session = await runtime.InferenceSession.create(model2, sessionSettings(options));
          return new _Session(runtime, session, name);
        } catch (cause) {
          throw new RetouchError("RUNTIME_FAILED", `The network ${name} does not load: ${messageOf(cause)}`, {
            cause
          });
        }
      }
      /**
       * Runs the network once.
       * @returns its float32 outputs by name.
       */
      async run(inputs) {
        try {
          const feeds = Object.fromEntries(
            Object.entries(inputs).map(([key, tensor]) => [key, toRuntime(this.#runtime, tensor)])
          );
          const outputs = await this.#session.run(feeds);
          return Object.fromEntries(
            Object.entries(outputs).map(([key, value]) => [
              key,
              { data: value.data, shape: value.dims }
            ])
          );
        } catch (cause) {
          throw new RetouchError("RUNTIME_FAILED", `The network ${this.#name} fails: ${messageOf(cause)}`, {
            cause
          });
        }
      }
      /** Frees the network's memory; the session cannot be used afterwards. */
      dispose() {
        return this.#session.release();
      }
    };
  }
});

// src/runtime/load.ts
function loadSession(outputs, weights, runtime, sizes = {}) {
  const { model: model2, options } = modelOf(outputs, weights, runtime, sizes);
  return Session.load(model2, options);
}
function modelOf(outputs, weights, runtime, sizes = {}) {
  const { name, baseFolder, isKeptHalf } = weights;
  const isWideningDelayed = isKeptHalf && runtime.device !== "webgpu";
  const { model: model2, hostNodes } = serialise(name, withForms(outputs, formsIn(runtime), sizes));
  return { model: model2, options: { name, ...runtime, weightsFolder: baseFolder, isWideningDelayed, hostNodes } };
}
var formsIn;
var init_load = __esm({
  "src/runtime/load.ts"() {
    "use strict";
    init_graph();
    init_kernel_forms();
    init_forms_of();
    init_session();
    formsIn = ({ device = "cpu", forms }) => forms ?? formsOf(device);
  }
});

// src/engine/exact-weights.ts
var exactly;
var init_exact_weights = __esm({
  "src/engine/exact-weights.ts"() {
    "use strict";
    exactly = (weights) => weights.with({ accuracyLevel: 1, isKeptHalf: weights.isKeptHalf });
  }
});

// src/weights/limits.ts
var MAX_LAYERS, MAX_HEADS, MAX_WIDTH, MAX_POSITIONS, MAX_VOCABULARY, MAX_LEVELS, MAX_LATENT_CHANNELS, MAX_SAMPLE_SIZE, MAX_TENSORS, MAX_SHARDS, MAX_KEY_CHARACTERS, MAX_DIMENSIONS, MAX_TEXT_FILE_BYTES, MAX_TEXT_CHARACTERS;
var init_limits = __esm({
  "src/weights/limits.ts"() {
    "use strict";
    MAX_LAYERS = 1e3;
    MAX_HEADS = 1024;
    MAX_WIDTH = 2 ** 17;
    MAX_POSITIONS = 4096;
    MAX_VOCABULARY = 1e6;
    MAX_LEVELS = 8;
    MAX_LATENT_CHANNELS = 256;
    MAX_SAMPLE_SIZE = 8192;
    MAX_TENSORS = 1e5;
    MAX_SHARDS = 1e3;
    MAX_KEY_CHARACTERS = 1e3;
    MAX_DIMENSIONS = 16;
    MAX_TEXT_FILE_BYTES = 1e8;
    MAX_TEXT_CHARACTERS = 200;
  }
});

// src/weights/small-file.ts
import { open, stat } from "node:fs/promises";
async function readSmallFile(file, maxBytes = MAX_TEXT_FILE_BYTES) {
  const unreadable = (cause) => new RetouchError("CHECKPOINT_MISSING", `The checkpoint file ${file} cannot be read.`, { cause });
  const found = await stat(file).catch((cause) => Promise.reject(unreadable(cause)));
  if (!found.isFile()) throw unreadable();
  const handle = await open(file).catch((cause) => Promise.reject(unreadable(cause)));
  try {
    const { size } = await handle.stat();
    if (size > maxBytes) {
      throw new RetouchError(
        "CHECKPOINT_INVALID",
        `The checkpoint file ${file} has ${size} bytes; at most ${maxBytes} are read.`
      );
    }
    return await handle.readFile().catch((cause) => Promise.reject(unreadable(cause)));
  } finally {
    await handle.close();
  }
}
var init_small_file = __esm({
  "src/weights/small-file.ts"() {
    "use strict";
    init_errors();
    init_limits();
  }
});

// src/weights/config.ts
function shownValue(value) {
  if (typeof value === "number") return String(value);
  const isSimple = (item) => typeof item !== "object" || item === null;
  if (Array.isArray(value) && !(value.length <= 16 && value.every(isSimple))) return "a long or nested list";
  if (!isSimple(value) && !Array.isArray(value)) return "an object";
  const text3 = JSON.stringify(value);
  return text3.length > MAX_SHOWN_CHARACTERS ? `${text3.slice(0, MAX_SHOWN_CHARACTERS)}...` : text3;
}
var MAX_SHOWN_CHARACTERS, Config, isWhole;
var init_config = __esm({
  "src/weights/config.ts"() {
    "use strict";
    init_errors();
    init_limits();
    init_small_file();
    MAX_SHOWN_CHARACTERS = 100;
    Config = class _Config {
      file;
      fields;
      #isNullKept;
      constructor(file, fields, { isNullKept = false } = {}) {
        this.file = file;
        this.fields = fields;
        this.#isNullKept = isNullKept;
      }
      /** @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID. */
      static async read(file) {
        const bytes2 = await readSmallFile(file);
        let fields;
        try {
          fields = JSON.parse(bytes2.toString("utf8"));
        } catch (cause) {
          throw new RetouchError("CHECKPOINT_INVALID", `The checkpoint file ${file} is no JSON.`, { cause });
        }
        if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
          throw new RetouchError("CHECKPOINT_INVALID", `The checkpoint file ${file} must hold a JSON object.`);
        }
        return new _Config(file, fields);
      }
      /** The same fields, of which null is a value: a network's class is given it in place of its default. */
      withNulls() {
        return new _Config(this.file, this.fields, { isNullKept: true });
      }
      /** The field as it is in the file; null counts as absent, unless nulls are kept. */
      get(name) {
        const value = Object.hasOwn(this.fields, name) ? this.fields[name] : void 0;
        return value === null && !this.#isNullKept ? void 0 : value;
      }
      /** A field that Python asks only whether it is true: null, 0 and empty values are not. */
      truth(name, fallback) {
        const value = this.get(name);
        if (value === void 0) return fallback;
        if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
        return Boolean(value);
      }
      /** Any finite number, not used as a count. JSON has no Infinity, but 1e999 is read as one. */
      number(name, fallback) {
        return this.#typed(name, "a number", Number.isFinite, fallback);
      }
      /** A number within a range. */
      numberWithin(name, { min, max }, fallback) {
        const isWithin = (value) => Number(value) >= min && Number(value) <= max;
        const isValid = (value) => typeof value === "number" && isWithin(value);
        return this.#typed(name, `a number from ${min} to ${max}`, isValid, fallback);
      }
      /** A whole number from 0 to `max`. */
      wholeNumber(name, max, fallback) {
        return this.#typed(name, `a whole number from 0 to ${max}`, isWhole({ min: 0, max }), fallback);
      }
      /** A whole number from 1 to `max`. */
      count(name, max, fallback) {
        return this.#typed(name, `a whole number from 1 to ${max}`, isWhole({ min: 1, max }), fallback);
      }
      boolean(name, fallback) {
        return this.#typed(name, "true or false", (value) => typeof value === "boolean", fallback);
      }
      string(name, fallback) {
        const isText = (value) => typeof value === "string" && value.length <= MAX_TEXT_CHARACTERS;
        return this.#typed(name, `a text of at most ${MAX_TEXT_CHARACTERS} characters`, isText, fallback);
      }
      /** From 1 to `maxLength` whole numbers from 1 to `max`. */
      counts(name, { max, maxLength }, fallback) {
        const isList = (value) => Array.isArray(value) && value.length > 0 && value.length <= maxLength && value.every(isWhole({ min: 1, max }));
        const wanted = `a list of at most ${maxLength} whole numbers from 1 to ${max}`;
        return this.#typed(name, wanted, isList, fallback);
      }
      /** The refusal of a field's value. */
      invalid(name, wanted) {
        const value = this.get(name);
        const found = value === void 0 ? "is missing" : `is ${shownValue(value)}`;
        return new RetouchError("CHECKPOINT_INVALID", `In ${this.file}, ${name} must be ${wanted} and ${found}.`);
      }
      #typed(name, wanted, isValid, fallback) {
        const value = this.get(name) === void 0 ? fallback : this.get(name);
        if (!isValid(value)) throw this.invalid(name, wanted);
        return value;
      }
    };
    isWhole = ({ min, max }) => (value) => Number.isInteger(value) && value >= min && value <= max;
  }
});

// src/weights/float-bits.ts
function float32FromBits(bits2) {
  word[0] = bits2;
  return float3[0];
}
function float16FromBits(bits2) {
  const sign = (bits2 & 32768) << 16;
  const exponent = bits2 >> 10 & 31;
  const fraction = bits2 & 1023;
  if (exponent === 0) return (sign === 0 ? fraction : -fraction) * 2 ** -24;
  return float32FromBits(sign | (exponent === 31 ? 255 : exponent + 112) << 23 | fraction << 13);
}
var float3, word, bfloat16FromBits;
var init_float_bits = __esm({
  "src/weights/float-bits.ts"() {
    "use strict";
    float3 = new Float32Array(1);
    word = new Uint32Array(float3.buffer);
    bfloat16FromBits = (bits2) => float32FromBits(bits2 << 16);
  }
});

// src/weights/ggml/grids.ts
var IQ1_S_GRID, IQ2_XXS_GRID, IQ2_XS_GRID, IQ2_S_GRID, IQ3_XXS_GRID, IQ3_S_GRID;
var init_grids = __esm({
  "src/weights/ggml/grids.ts"() {
    "use strict";
    IQ1_S_GRID = {
      values: [-1, 0, 1],
      width: 8,
      bits: 2,
      packed: [
        "AAACAAUACAAKABEAFQAgACIAKAAqAEUAUQBUAFYAZQCAAIIAiACKAJUAoACiAKgAqgAEAQUBEQEUARYBGQEaASUBQQFGAUkBUgFVAVoB",
        "YQFkAWYBaAGFAZEBlAGWAaUBAAICAggCCgIVAiACIgIoAioCRQJRAlkCZAJpAoACggKIAooCkQKVApkCoAKiAqgCqgIRBBQEFgQlBEEE",
        "SQRVBFoEZARlBJEEmQSlBAEFBAUFBQYFFQUYBRoFKQVABUUFSgVQBVEFVAVVBVYFWQVgBWIFZQVoBWoFgQWRBZUFmAWaBaEFpAWlBaYF",
        "qQUUBhkGQQZEBlAGUgZVBlgGYAZhBmYGaQaFBpEGlAaZBgAIAggICAoIFQggCCIIKAgqCEUIUQhWCGUIgAiCCIgIigiVCKAIogioCKoI",
        "BQkRCRQJGQkkCSUJQQlQCVEJVQlhCWQJaQmRCZQJlgmZCaUJAAoCCggKCgoVCiAKIgooCioKRQpRClkKYQplCoAKggqFCogKigqVCqAK",
        "ogqoCqoKEBAREBQQGRAkECUQQRBEEFAQVRBYEGEQZBBlEGkQkRCUEJYQoRClEAERBBEGEQkREBESERURGBEhESQRKRFFEUoRUBFREVIR",
        "VBFVEVYRWRFgEWURhBGSEZURoRGkERESFBIWEiUSQBJGEkkSUhJVElgSWhJkEmYShRKREpQSlhKlEgEUBhQJFBQUFRQYFBkUIRQmFEEU",
        "RRRGFEgUShRRFFQUVRRWFFkUYhRlFGgUhBSJFJAUlBSVFJgUmRSaFKEUpBSlFKkUAhUFFQoVERUUFRUVFhUZFSAVIhUlFSgVKhVBFUQV",
        "RRVGFVEVUhVUFVUVVhVZFVoVYRVkFWUVZhVpFYAVghWEFYUViBWKFZAVkRWUFZUVlhWZFZoVoBWiFaUVARYEFgUWBhYVFhYWGBYaFiEW",
        "JhZAFkIWRBZFFkgWShZRFlUWVhZYFlkWYRZkFmUWaBZpFmoWhhaKFpIWlRakFqkWERgWGCUYQRhEGEYYSRhQGFUYWBhaGGAYYRhkGGYY",
        "aRiFGJEYlBilGBAZEhkVGRoZIRklGUIZRBlFGUgZURlUGVUZVhlZGVoZYBllGWoZiRmRGZIZlRmYGaEZphmpGQkaFhokGiYaRBpGGkka",
        "UBpSGlUaWBphGmYaaRqFGpEalhqaGgAgAiAIIAogFSAgICIgJSAoICogRSBRIFkgYSBlIIAggiCIIIoglSCgIKIgpSCoIKogBSERIRQh",
        "GSElIUIhRCFJIVUhWCFaIWEhZCFlIWYhhSGQIZYhmSGlIQEiCCIKIhEiFSIgIiIiKCIqIkUiUSJWIlkiZSKBIogiiiKRIpUioCKiIqgi",
        "qiIFJBQkFiQZJCUkRCRFJEYkSSRSJFUkWCRaJGYkhSSRJJQkmSShJKUkCSUVJSElKSVAJUUlSCVRJVQlVSVZJWIlZSVoJYklkCWUJZUl",
        "mCWaJaElpCWmJaklBSYQJhImGSYlJkEmSSZVJmAmYSZpJoQmhiaQJpomACgCKAgoCigVKCAoIigoKCooRShRKFQoZSiAKIIoiCiKKKAo",
        "oiioKKooCSkRKRQpGSklKUYpSSlSKVUpYSlkKWYpaSmFKZAplimZKaQppSkAKgIqCCoKKiAqIiooKioqRSpRKlYqWSplKoAqgiqIKooq",
        "lSqgKqIqqCqqKgVAEUAWQCVASUBSQFVAWEBaQGFAZEBmQJRAmUChQKZAAEEBQQRBBkEJQRJBFUEWQRhBGkEhQSZBKUFFQUhBSkFRQVRB",
        "VUFWQVlBWkFlQWhBakGBQYRBhkGQQZJBlUGgQaFBokEFQhFCFEIWQiVCQUJSQlVCWkJkQmlCiUKUQqVCAUQVRBlEKURFREhESkRRRFRE",
        "VURWRGFEYkRlRGhEakSBRIZEiUSQRJJElUSgRKFEqUQBRQJFBUUKRRFFFEUVRRZFGUUgRSVFKkVBRURFRUVGRUlFUEVRRVRFVUVWRVhF",
        "WUVhRWRFZUVmRWlFgkWERYVFiEWRRZRFlUWWRZlFmkWlRahFqkUBRgVGCUYURhVGGEYaRiFGJEYpRkBGQkZFRkhGUEZRRlJGVUZWRllG",
        "YkZlRmhGgUaFRopGlEaVRqFGpEamRgVIEUgVSBpIJUhCSElIUEhVSFhIYUhkSGZIaUiFSJFIlEiWSJlIpUgBSQVJBkkKSRBJFEkVSRhJ",
        "IUkkSSZJQElFSUpJUUlSSVRJVUlWSVlJYEliSWVJZklqSYZJiUmSSZVJlkmYSaFJpEmmSalJFkpESkZKSUpVSlhKWkpkSmlKlEqlSgFQ",
        "BFAFUAZQCVASUBVQGlAhUCRQKVBAUEVQSFBRUFRQVVBWUFlQZVBoUIZQiVCVUJhQoFChUKZQqVAFUQhRCVEKURFRFFEVURZRGFEZUSBR",
        "JVEmUShRKlFBUURRRVFGUUlRUFFRUVJRVFFVUVZRWFFZUVpRYVFkUWVRZlFpUYJRhVGRUZRRlVGWUZlRoFGlUapRAVIGUhJSFVIaUiFS",
        "JFJCUkVSSlJRUlRSVVJWUllSYlJlUoVSkFKSUpVSmVKaUqRSBFQFVBFUFFQVVBZUGFQZVCFUJVQoVCpUQVREVEVURlRJVEpUUFRRVFRU",
        "VVRWVFhUWVRaVGFUYlRkVGVUZlRpVIBUiFSKVJFUlFSVVJZUmVShVKRUpVSqVAFVAlUEVQVVBlUJVRBVEVUSVRRVFVUWVRlVGlUhVSRV",
        "JVUmVSlVQFVBVUJVRFVFVUZVSFVJVVBVUVVSVVRVVVVWVVhVWVVaVWBVYVVkVWVVZlVoVWlValWBVYRVhVWJVYpVkFWRVZRVlVWWVZhV",
        "mVWhVaRVpVWmValVAFYBVgJWBFYGVghWCVYRVhRWFVYYVhlWIFYhViJWJFYlViZWKFYpVkFWRVZGVkhWSVZKVlBWUVZSVlRWVVZWVlhW",
        "WVZaVmFWZFZlVmlWglaFVoZWiFaJVopWkVaVVppWolalVqZWqFapVgRYBVgGWAlYEFgVWBhYIVgqWEVYSFhKWFFYVFhVWFZYWFhZWGBY",
        "YlhkWGVYgliJWJBYkliVWJhYoVipWAFZAlkFWQpZEVkUWRVZFlkZWSVZQVlEWUVZRllJWVBZUVlSWVRZVVlWWVhZWVlaWWFZZFllWWZZ",
        "aVmBWYVZiVmRWZRZlVmWWZhZmVmlWQRaCFoVWhpaIFolWiZaKVpFWkhaSVpRWlVaVlpYWllaYlplWmhaalqBWopaklqVWpZamFqaWqFa",
        "BWAUYBZgGWAlYERgUGBVYFZgWGBaYGFgZGBmYGlggWCWYKVgAWEEYQZhCWESYRVhIWEiYSZhKWFFYUlhUWFVYVZhWWFlYWZhamGEYYph",
        "kmGVYaFhpmGpYRFiFmIZYkBiQWJGYlViVmJYYmBihWKRYpZipWIRZBJkFWQWZBpkIWQmZClkQGRCZEVkSGRKZFFkVGRVZFZkWWRaZGBk",
        "YmRlZIRkhWSJZJBkkmSUZJVklmSYZJpkoWSkZKlkBWUIZQplEWUVZRZlGWVEZUVlRmVJZVBlUWVUZVVlVmVZZWFlZGVlZWZlaWWGZYll",
        "imWRZZVllmWZZZplomWlZaZlqGUCZglmFWYgZiZmKGYpZkBmRWZIZkpmUWZUZlVmVmZYZlpmYGZlZmhmgGaCZoVmimaUZpZmmGaZZqBm",
        "pGamZqpmFmgZaCVoQWhSaFVoWmhhaGlohWiRaJhopmgBaQRpEGkVaSFpJGkmaSlpQGlBaUVpRmlIaVFpVGlVaVZpWWlgaWVpammCaYRp",
        "immVaaFppGmlaalpEWoWahhqQWpEaklqUGpValhqWmpkamVqaWqGapRqmGqaaqZqAIACgAiACoAggCKAKIAqgEWAUIBRgFSAVoBZgGWA",
        "gICCgIiAioCVgKCAooCogKqABYERgRSBFoEZgSWBQYFEgUmBUIFSgVWBVoFYgVmBZIFmgWmBhYGJgZSBloGZgaWBAIICggiCCoIVgiCC",
        "IoIogiqCUYJUglmCZYKAgoKCiIKKgpWCoIKigqiCqoIUhBmEQYREhFGEVYRahGGEZIRphJSEmYQBhQmFEoUVhRqFJoUphUCFQYVFhUiF",
        "UYVUhVWFVoVZhVqFZYVmhWiFaoWBhYSFhoWJhZCFkoWVhZiFpoURhhaGGYYlhkGGRIZJhkqGUIZVhlmGWoZhhmaGaoaFhpGGmoakhgCI",
        "AogIiAqIFYggiCKIKIgqiEGIRYhRiFSIWYhliGmIgIiCiIiIioiViKCIooioiKqIBYkGiRGJFIkWiSWJQYlEiUaJSYlQiVKJVYlaiWGJ",
        "ZImFiZaJmYmliQCKAooIigqKFYogiiKKKIoqikWKUYpUilaKgIqCioiKioqViqCKooqoiqqKBZARkBaQGJAZkCWQQZBGkEmQVZBYkFqQ",
        "aZBqkIWQkZCUkJaQmZClkAGRBJEGkQmREJEVkRiRGpEhkSSRJpEpkUCRRZFQkVGRVJFVkVaRWZFikWWRhJGGkZKRlZGYkaGRpJGmkamR",
        "BZIRkhSSGZIlkkSSRpJJklCSUpJVkliSZpJpkoWSlJKWkqmSAZQElAaUEJQVlBiUJpRAlEqUUZRUlFWUVpRYlFmUYJRhlGKUZZSElIaU",
        "kpSUlJWUmJShlKmUAJUFlQiVCpUQlRGVFJUVlRaVGZUhlSWVKZUqlUGVRJVFlUaVSZVQlVGVUpVUlVWVVpVYlVmVWpVhlWSVZZVmlWmV",
        "gZWFlYiVkZWSlZSVlZWWlZmVmpWglaKVpZWolaqVAZYElhCWFZYZliCWJpYplkWWSJZJllGWUpZVllaWWZZllmiWgpaElomWipaSlpSW",
        "lZaklqaWqZYFmBaYGZglmEGYRphQmFKYVZhWmFqYZJhlmIWYkZiWmJmYpZgEmQaZCZkQmRKZFZkYmRqZIJkhmSSZJplAmUKZRZlImUqZ",
        "UZlUmVWZVplZmWKZZZlmmWqZgZmEmZCZkpmVmZqZoZmmmQWaFZolmkSaRppJmlCaVZpYmmGahZqRmpSalZqWmgCgAqAIoAqgFaAgoCKg",
        "KKAqoEWgUaBUoFagWaCAoIKgiKCKoJWgoKCioKigqqAFoQmhEaEUoRahGaEaoUahSaFRoVWhWKFaoWGhZKGFoZChkqGWoZmhAqIIogqi",
        "EKIZoiKiKKIqokWiUaJWolmiZaKAooKiiKKKopWioKKioqiiqqIZpCWkQaREpFCkVKRVpFikWqRhpGWkZqRopGmkhaQGpQmlEKUSpRWl",
        "GKUmpSmlQqVFpVGlVKVVpValWaVlpWqlgaWEpYWlhqWJpZKllaWYpQWmEaYWphqmIaYlpkSmRqZKplKmVaZWplimYKZipoamkKaVppam",
        "maahpqSmpqYAqAKoCKgKqCCoIqgoqCqoUahUqFaoWaiAqIKoiKiKqJWooKiiqKioqqgFqRSpGakhqSWpQalQqVWpWqlhqWapaamQqZap",
        "AKoCqgiqCqogqiKqKKoqqlGqVKpWqoCqgqqIqoqqlaqgqqKqqKqqqg=="
      ].join("")
    };
    IQ2_XXS_GRID = {
      values: [8, 25, 43],
      width: 8,
      bits: 2,
      packed: [
        "AAACAAUACAAKABEAFAAgACIAKAAqAEEARABQAFgAYQBkAIAAggCKAKIAAQEEARABFQFAAYQBmAEAAgICIgKCAgEEBAQQBCEEJARABEIE",
        "SARgBIEEhASQBKQEAAUCBQgFIAVGBWkFgAWRBQkGEAZABoQGpAYACAUICAgUCCgIQQhECFAIUgiICAQJQAkCChQKARAEEBAQIRBAEGAQ",
        "hBCQEJUQABEIESARUBFaEYARJBJFEgAUCBQgFCUUSRSAFBgVYhUAFhYWARgEGBAYQBiBGAAZBRmgGVEaACACIAogRCBhIIAggiApIUgh",
        "ACICIgEkBCQQJEAkViQAJUElZCWQJggoICiUKEQqAUAEQBBAGEAhQCRAQEBIQFZAYECBQIRAkEAAQSBBYUGAQYVBAUIQQkhCVkJoQgBE",
        "CEQgRIBEmUQSRSRFAEYBSARIEEhASEVIAElYSWFJgklFSpBKAFAIUBFQGVAgUIBQiFAEUUJRpFGRUpBUklQKVQFWVFYAWBFYGVhkWEBZ",
        "CFoEYBBgQGBoYABhVWEYYmBiAGQFZBBlEmWEZUJoAIACgAqAQYCCgASBGIFAgRGCAYQEhBCEFYRAhGCEAIVGhZSFCYZAhmCGAogEiRGK",
        "BJAQkCSQQJChkBaRgJFFkgCUIpRElFGVgZggmQKgUKCFoAmhAKIYpFCoBKk="
      ].join("")
    };
    IQ2_XS_GRID = {
      values: [8, 25, 43],
      width: 8,
      bits: 2,
      packed: [
        "AAACAAUACAAKABEAFAAWABkAIAAiACUAKABBAEQARgBJAFAAUgBVAFgAYQBkAIAAggCFAIgAkQCUAJkAoAABAQQBBgEJARABEgEVARgB",
        "GgEhASQBQAFCAUUBSAFRAVQBYAFoAYEBhAGQAQACAgIFAggCEQIUAiACQQJEAlACVQKAAooCAQQEBAYECQQQBBIEFQQYBCEEJARABEIE",
        "RQRIBFEEVARWBGAEgQSEBJAEAAUCBQUFCAURBRQFIAVBBUQFUAVhBYAFAQYEBhAGJgZABkIGhAYACAIIBQgICAoIEQgUCCAIJQhBCEQI",
        "UAhYCIAIoAiqCAEJBAkQCUAJgQmJCQAKIAooCpYKoAoBEAQQBhAJEBAQEhAVEBgQIRAkEEAQQhBFEEgQURBUEGAQahCBEIQQkBAAEQIR",
        "BREIERERFBEgEUERRBFQEYARlBGWEQESBBIGEhASQBJgEgAUAhQFFAgUERQUFCAUQRREFEkUUBRkFIAUARUEFRAVQBUAFhQWSRYBGAQY",
        "EBgSGEAYVBiGGAAZBRlmGVEaqRoAIAIgBSAIIAogESAUICAgQSBEIFAggCCgIAEhBCEQIUAhSCFlIQAiIiKAIqgiASQEJBAkKSRAJAAl",
        "QSVSJZklASYaJqYmACgIKAooIChVKIgooihoKZApCCogKoIqiCqKKgFABEAGQAlAEEASQBVAGEAhQCRAQEBCQEVASEBKQFFAVEBgQGVA",
        "gUCEQJBAAEECQQVBCEERQRRBIEFBQURBUEGAQYVBokEBQgRCEEISQilCQEIARAJEBUQIRBFEFEQZRCBEQURERFBEgESURAFFBEUQRSRF",
        "QEWaRQBGCkZERlBGAUgESBBIQEhFSFRIYkgASRFJRElQSWlJBEoAUAJQBVAIUBFQFFAgUChQQVBEUFBQgFABUQRREFEVUUBRQlEAUkRS",
        "qlIBVARUEFQhVEBUYFSBVKFUAFUIVYBViFUhVmhWoVYAWBRYQVhQWJlYGllAWUJZhVoBYARgEGBAYFRgYmCGYKlgAGEkYkpikmIAZBZk",
        "EGVAZUVlpGUBaGpoJWkGalRqYmoAgAKABYAIgBGAFIAggCqAQYBEgFCAgICCgKiAqoABgQSBBoEQgUCBUYFZgQCCIIKAgoKCoIKoggGE",
        "BIQQhBKEFYRAhGCEiYQAhUSFpYUYhmqGAIgIiCWIWoiAiIKIqIgGiSKKgIqIipaKqIoBkASQEJBAkFaQhJAAkSKRZJFWkomSAJQFlESU",
        "UJRYlCmVkJWSlUGWUZimmEmZFZpgmgCgAqAIoAqgIKAqoKCgUaFZoaahAKICogiiKqKAoqCiQKSVpGWmmKYKqCCoIqgoqKCoqKgEqYSp",
        "hqkoqiqqkaqqqg=="
      ].join("")
    };
    IQ2_S_GRID = {
      values: [8, 25, 43],
      width: 8,
      bits: 2,
      packed: [
        "AAACAAUACAAKABEAFAAWABkAIAAiACUAKABBAEQARgBJAFAAUgBVAFgAYQBkAGYAaQCAAIIAhQCIAJEAlACgAKUAqgABAQQBBgEJARAB",
        "EgEVARgBIQEkAUABQgFFAUgBUQFUAVYBWQFgAWUBaAGBAYQBkAGSAZUBoQGkAQACAgIFAggCEQIUAiACKgJBAkQCRgJJAlACVQKAAoUC",
        "igKUAqICAQQEBAYECQQQBBIEFQQYBCEEJAQmBCkEQARCBEUESARKBFEEVARWBFkEYARiBGUEgQSEBIYEiQSQBJUEmAShBKQEAAUCBQUF",
        "CAUKBREFFAUWBRkFIAUlBSgFQQVEBUYFSQVQBVIFVQVYBWEFZAWABYIFhQWIBZEFlAWgBQEGBAYGBgkGEAYVBkAGRQZIBlEGVAZgBoEG",
        "hAaQBgAIAggFCAgIEQgUCBYIGQggCCUIKghBCEQIRghJCFAIUghVCFgIYQhkCIAIhQiUCKoIAQkECRAJEgkVCRgJIQlACUUJSAlRCVQJ",
        "YAmBCZAJAAoRChQKIgooCioKUAqZCgEQBBAGEAkQEBASEBUQGBAhECQQJhBAEEIQRRBIEFEQVBBWEFkQYBBiEGUQaBCBEIQQhhCQEJUQ",
        "mBChEKQQABECEQURCBEKERERFBEWERkRIBEiESURKBFBEUQRRhFJEVARUhFVEVgRYRFkEYARghGFEYgRkRGUEQESBBIJEhASFRIhEiQS",
        "QBJFElESVBKBEoQSkBIAFAIUBRQIFBEUFBQWFBkUIBQlFCgUQRREFEYUSRRQFFIUVRRYFGEUZBSAFIIUhRSIFJEUlBSgFAEVBBUGFQkV",
        "EBUSFRUVGBUhFSQVQBVCFUUVSBVRFVQVYBWBFYQVkBUAFgUWCBYRFhQWIBZBFkQWUBaAFqoWARgEGAYYCRgQGBUYGBghGEAYQhhFGEgY",
        "URhUGGAYgRiEGAAZAhkFGQgZERkUGSAZQRlEGVAZaRmiGQQaEBpAGlYaACACIAUgCCARIBQgFiAZICAgJSAqIEEgRCBQIFIgVSBkIIAg",
        "iiCUIKogASEEIRAhEiEVISEhQCFCIUUhUSFUIWAhgSGEIZAhACIKIiIiKCIqIkQiUCKIIooiqCIBJAQkBiQJJBAkFSQYJCEkJCRAJEIk",
        "RSRIJFEkVCRgJIEkhCSQJAAlBSUIJRElFCUgJUElRCVQJWYlgCUBJgQmECZAJlkmACgFKBEoFChBKEQoUCiKKKooASkEKRAplSkKKiIq",
        "ZCqIKooqAUAEQAZACUAQQBJAFUAYQBpAIUAkQCZAQEBCQEVASEBKQFFAVEBWQFlAYEBiQGVAgUCEQJBAlUCYQKFApEAAQQJBBUEIQRFB",
        "FEEWQRlBIEEiQSVBQUFEQUZBSUFQQVJBVUFYQWFBZEGAQYJBhUGIQZFBlEGgQQFCBEIQQhJCFUIYQiRCQEJFQkhCUUJUQmBCgUKEQgBE",
        "AkQFRAhECkQRRBREFkQZRCBEIkQlRChEQUREREZESURQRFJEVURYRGFEZESARIJEhUSIRJFElESgRAFFBEUGRQlFEEUSRRVFGEUhRSRF",
        "QEVCRUVFSEVRRVRFYEVqRYFFhEWQRQBGAkYFRghGEUYURiBGQUZERlBGgEalRgFIBEgJSBBIEkgVSBhIIUgkSEBIQkhFSEhIUUhUSGBI",
        "hEiQSABJAkkFSQhJEUkUSSBJQUlESVBJgEmWSQFKBEoQSkBKAFACUAVQCFARUBRQFlAZUCBQIlAlUChQQVBEUEZQSVBQUFJQVVBYUGFQ",
        "ZFCAUIJQhVCIUJFQlFABUQRRBlEJURBRElEVURhRIVEkUUBRQlFFUUhRUVFUUWBRgVGEUZBRAFIFUghSEVIUUiBSQVJEUlBSaVKAUgFU",
        "BFQGVAlUEFQSVBVUGFQhVCRUQFRCVEVUSFRRVFRUYFSBVIRUkFQAVQJVBVUIVRFVFFUgVUFVRFVQVYBVAVYEVhBWJlZAVgBYAlgFWAhY",
        "EVgUWCBYQVhEWFBYWliAWAFZBFkQWUBZAFoZWoVaqFoBYARgBmAQYBJgFWAYYCFgJGBAYEVgSGBRYFRgYGCEYJBgAGECYQVhCGERYRRh",
        "IGFBYURhUGGAYZlhBGIQYkBiVmKhYgBkBWQIZBFkFGQgZEFkRGRQZIBkAWUEZRBlQGVKZWhlkmUAZpRmAWgEaBBoZWiYaABpKmlCaqFq",
        "AIACgAWACIARgBSAGYAggCWAQYBEgFCAUoBVgFiAYYCAgIWAkYCUgAGBBIEJgRCBEoEVgRiBIYEkgUCBQoFFgUiBUYFUgYGBhIGQgamB",
        "AIIFggqCEYIUgkGCRIJQggGEBIQGhAmEEIQShBWEGIQhhECEQoRFhEiEUYRUhGCEgYSEhJCEAIUChQWFCIURhRSFIIVBhUSFUIWAhYqF",
        "AYYEhhCGKYZAhgCIBYgRiBSIQYhEiFCIoogBiQSJQIlliSKKWIpaioKKoooBkASQCZAQkBKQFZAYkCSQQJBCkEWQSJBRkFSQYJCBkISQ",
        "kJAAkQWREZEUkUGRRJFQkVqRAZIEkhCSQJKmkgCUApQFlAiUEZQUlCCUQZRElFCUgJSWlAGVBJUQlUCVmJWhlQCWRpZklgGYBJgQmCaY",
        "QJipmACZSZlSmZCaAKAFoAqgFKAioCqgQaBEoFCgoqCqoEChZaECogqiIqIooiqigqKIooqiqKIBpASkEKRApImkpKQApRmlUaYKqCio",
        "oqhUqYapCKoKqiCqIqooqoiqqqo="
      ].join("")
    };
    IQ3_XXS_GRID = {
      values: [4, 12, 20, 28, 36, 44, 52, 62],
      width: 4,
      bits: 4,
      packed: [
        "AAACAAQAEQATABcAIAAiADEAQgBzAHUAAQEDARABEgEhASUBMAEyAUEBVAFwAQACAgIEAhECIAIiAjECMwI3AlECVwJ1AgEDBwMQAxID",
        "JQNwAxMENwREBFcEcwR1BAEFBwUyBVIFNQZkBhAHFAcWB0MHYQcBEAMQEBASECEQIxAwEDIQNBBHEFAQABECERERIBEiEQESAxIQEhIS",
        "IRIwEnISABMCEyATMRNGE2YTARQFFFAUIBUkFUYVcRUFFiIXQBcAIAIgESATICAgIiAmIDEgQiABIQMhBSEQIRIhISEwIWMhZyFwIQAi",
        "AiIRIhciICIiIjciQCJVIgEjECMUI3AjdCM1JFMkAyUnJUEldCUBJwMnFidFJwEwEDASMCEwIzBQMGUwcjAAMQIxIDExMUQxRjEBMgMy",
        "EDIlMlIycjIRMzMzMDRHNHI0ADUGNSI1VTUUNjY2YzYzN2A3BEAXQDVAN0BTQFdAdEEgQjdCQEJgQmZCB0NFQwREUURkRCVFQ0VwRQVH",
        "EEcSRzBHElBBUHBQAFEGUSZRVVEUUjJSclICU1NTEFQjVCdUclQCVTFVUFYkV0JXJGBEYEZgZGAhYWFhF2JkYjBjNmNEZAVlUmUzZgNn",
        "IWcDcAVwB3AQcDJwUnAmcUBxEnJFclJyAHMVczNzYHMhdEF0AHUCdSR1MHY="
      ].join("")
    };
    IQ3_S_GRID = {
      values: [1, 3, 5, 7, 9, 11, 13, 15],
      width: 4,
      bits: 4,
      packed: [
        "AAABAAIABQAHABAAEQASABQAFgAgACEAJQAzAEAAQgBFAEcAUQBTAGAAYgBxAHQAdwAAAQEBAgEEARABEQEVASABIwEnATEBNQFEAWEB",
        "ZQFyAQACAQIFAgcCEAITAhYCIQIlAjACNAJCAkUCRwJRAlMCcAJzAgMDEQMVAyADIgMxAzMDNgNEA1ADUgNnA3EDdQMABBMEFwQhBCQE",
        "MgRABEMEUQRwBAIFBAUgBSIFJgUzBUEFRQVHBWYFcwUGBhEGEwYxBlIGcQYABwIHBAcgByIHJgczB1AHVAcAEAEQAhAEEBAQERATEBUQ",
        "FxAgECIQMRA0EDYQVBBWEGEQchAAEQERAxEGERARFBEhETARMxFBEVARUhFwEXYRABISEhUSFxIgEiQSMhJAEkMSVRJgEnISARMEEwcT",
        "EBMTEyETJxMwEzQTQRNiE3ATAxQFFBIUFBQxFDMUQhRGFFAUVBQBFRAVExUhFTAVMhVRFSAWJBYnFkQWRhYBFwMXEBcSFyEXNRdBF2IX",
        "cBcAIAEgAyAFIAcgECASIBQgFiAhICMgJyAwIDIgQSBDIEUgUCBSIGcgcCBzIHUgACECIRAhEyEXISIhJSExITQhQiFRIQEiBCIHIiEi",
        "IyIwIjciQSJTIlcicSJ0IgAjAiMFIxEjIiMkIzEjMyNCI1AjZiMBJAckICQjJDIkNSRBJHIkdSQEJRElIiU3JUAlUyVwJQAmAiYHJiEm",
        "VSZhJgUnEScmJzAnQydQJwIwETATMBUwFzAiMDEwMzA1MEIwRDBHMFEwYzBxMAExAzEFMRQxITEjMUAxYDFyMXYxADISMiAyMjI0MlAy",
        "ATMQMxQzITMjMyczMDNBM0MzRzNVM3MzAzQRNBY0IjQxNFI0YDRkNAE1EDUSNSU1MjVENVY1czUWNkE2ATcDNyA3Ijc1NwBABEASQCBA",
        "JEAnQDJAQUBQQHBAAkEHQRFBE0EiQTBBNUFDQVFBVUEBQgNCEEIVQiFCM0JAQldCYkJwQgRDEUMTQyBDIkMxQzVDAEQCRCREN0RARHFE",
        "BUUHRSFFYkUTRjRGYEYQRxVHMEdDR1FHAlAQUBRQIlBAUERQR1BSUGZQdFABUQNRBVESUSFRMlFyUQBSEVIjUjBSNlJTUgJTB1MQUydT",
        "RFNRU2VTc1MBVARUIFQyVEZUElUmVVFVU1VCVgJXBFciVxFgE2AVYDFgM2BgYABhIGEnYWRhEmI0YkJiVWJiYnBiAGMUYyFjQGMlZENk",
        "YmQAZQNlNGVgZQVmQGYRZxNnAHAEcAdwIHAicDZwQHBUcGJwAnERcSRxQ3FFcQFyBHIQchZyIXIwclFyAnMyczVzU3MBdAV0E3QgdFB0",
        "InVCdQJ2MXYAdw=="
      ].join("")
    };
  }
});

// src/weights/ggml/type.ts
var LARGE_BLOCK, fround, uint16At, uint32At, float16At, int8At, nibbleAt;
var init_type = __esm({
  "src/weights/ggml/type.ts"() {
    "use strict";
    init_float_bits();
    LARGE_BLOCK = 256;
    ({ fround } = Math);
    uint16At = (bytes2, at) => bytes2[at] | bytes2[at + 1] << 8;
    uint32At = (bytes2, at) => (uint16At(bytes2, at) | uint16At(bytes2, at + 2) << 16) >>> 0;
    float16At = (bytes2, at) => float16FromBits(uint16At(bytes2, at));
    int8At = (bytes2, at) => bytes2[at] << 24 >> 24;
    nibbleAt = (bytes2, at, index) => bytes2[at + (index >> 1)] >> ((index & 1) << 2) & 15;
  }
});

// src/weights/ggml/iq.ts
function unpackGrid({ values, bits: bits2, packed }) {
  const bytes2 = Buffer.from(packed, "base64");
  const perByte = 8 / bits2;
  return Int8Array.from(
    { length: bytes2.length * perByte },
    (_, index) => values[bytes2[Math.floor(index / perByte)] >> index % perByte * bits2 & (1 << bits2) - 1]
  );
}
function lazyGrid(grid) {
  let unpacked;
  return () => unpacked ??= unpackGrid(grid);
}
function evenSigns(seven) {
  let parity = seven;
  parity ^= parity >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return seven | (parity & 1) << 7;
}
function writeRow(grid, row, width, scale, signs, out, to) {
  for (let index = 0; index < width; index += 1) {
    const number2 = scale * grid[row * width + index];
    out[to + index] = signs >> index & 1 ? -number2 : number2;
  }
}
function writeShifted(row, scale, shift, out, to) {
  const grid = iq1();
  for (let index = 0; index < 8; index += 1) out[to + index] = scale * (grid[row * 8 + index] + shift);
}
function writeCurve(bytes2, at, scale, out, to) {
  for (let index = 0; index < 16; index += 1) {
    out[to + index] = scale * CURVE[bytes2[at + index] & 15];
    out[to + 16 + index] = scale * CURVE[bytes2[at + index] >> 4];
  }
}
var iq1, iq2xxs, iq2xs, iq2s, iq3xxs, iq3s, CURVE, IQ_TYPES;
var init_iq = __esm({
  "src/weights/ggml/iq.ts"() {
    "use strict";
    init_float_bits();
    init_grids();
    init_type();
    iq1 = lazyGrid(IQ1_S_GRID);
    iq2xxs = lazyGrid(IQ2_XXS_GRID);
    iq2xs = lazyGrid(IQ2_XS_GRID);
    iq2s = lazyGrid(IQ2_S_GRID);
    iq3xxs = lazyGrid(IQ3_XXS_GRID);
    iq3s = lazyGrid(IQ3_S_GRID);
    CURVE = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
    IQ_TYPES = {
      16: {
        name: "IQ2_XXS",
        // d; for 32 numbers: four rows, four times seven signs, a scale of 4 bits
        blockSize: LARGE_BLOCK,
        blockBytes: 66,
        widen(bytes2, at, out, to) {
          const d = float16At(bytes2, at);
          for (let group = 0; group < 32; group += 1) {
            const run2 = at + 2 + (group >> 2) * 8;
            const signs = uint32At(bytes2, run2 + 4);
            const scale = d * (0.5 + (signs >>> 28)) * 0.25;
            const seven = signs >>> (group & 3) * 7 & 127;
            writeRow(iq2xxs(), bytes2[run2 + (group & 3)], 8, scale, evenSigns(seven), out, to + group * 8);
          }
        }
      },
      17: {
        name: "IQ2_XS",
        // d; 32 times a row of 9 bits and seven signs; 16 scales of 4 bits
        blockSize: LARGE_BLOCK,
        blockBytes: 74,
        widen(bytes2, at, out, to) {
          const d = float16At(bytes2, at);
          for (let group = 0; group < 32; group += 1) {
            const both = uint16At(bytes2, at + 2 + group * 2);
            const scale = d * (0.5 + nibbleAt(bytes2, at + 66, group >> 1)) * 0.25;
            writeRow(iq2xs(), both & 511, 8, scale, evenSigns(both >> 9), out, to + group * 8);
          }
        }
      },
      22: {
        name: "IQ2_S",
        // d; 32 rows' low bytes; 32 times eight signs; the rows' upper two bits; 16 scales of 4 bits
        blockSize: LARGE_BLOCK,
        blockBytes: 82,
        widen(bytes2, at, out, to) {
          const d = float16At(bytes2, at);
          for (let group = 0; group < 32; group += 1) {
            const high = bytes2[at + 66 + (group >> 2)] >> ((group & 3) << 1) & 3;
            const row = bytes2[at + 2 + group] | high << 8;
            const scale = d * (0.5 + nibbleAt(bytes2, at + 74, group >> 1)) * 0.25;
            writeRow(iq2s(), row, 8, scale, bytes2[at + 34 + group], out, to + group * 8);
          }
        }
      },
      18: {
        name: "IQ3_XXS",
        // d; 64 rows; for 32 numbers: four times seven signs, a scale of 4 bits
        blockSize: LARGE_BLOCK,
        blockBytes: 98,
        widen(bytes2, at, out, to) {
          const d = float16At(bytes2, at);
          for (let group = 0; group < 64; group += 1) {
            const signs = uint32At(bytes2, at + 66 + (group >> 3) * 4);
            const scale = d * (0.5 + (signs >>> 28)) * 0.5;
            const eight = evenSigns(signs >>> (group >> 1 & 3) * 7 & 127);
            const row = bytes2[at + 2 + group];
            writeRow(iq3xxs(), row, 4, scale, eight >> ((group & 1) << 2), out, to + group * 4);
          }
        }
      },
      21: {
        name: "IQ3_S",
        // d; 64 rows' low bytes; their ninth bits; 256 signs; 8 scales of 4 bits
        blockSize: LARGE_BLOCK,
        blockBytes: 110,
        widen(bytes2, at, out, to) {
          const d = float16At(bytes2, at);
          for (let group = 0; group < 64; group += 1) {
            const ninth = bytes2[at + 66 + (group >> 3)] >> (group & 7) & 1;
            const row = bytes2[at + 2 + group] | ninth << 8;
            const signs = nibbleAt(bytes2, at + 74, group);
            const scale = d * (1 + 2 * nibbleAt(bytes2, at + 106, group >> 3));
            writeRow(iq3s(), row, 4, scale, signs, out, to + group * 4);
          }
        }
      },
      19: {
        name: "IQ1_S",
        // d; 32 rows' low bytes; for 32 numbers: the rows' upper three bits, a scale of 3, the shift's sign
        blockSize: LARGE_BLOCK,
        blockBytes: 50,
        widen(bytes2, at, out, to) {
          const d = float16At(bytes2, at);
          for (let group = 0; group < 32; group += 1) {
            const both = uint16At(bytes2, at + 34 + (group >> 2) * 2);
            const row = bytes2[at + 2 + group] | (both >> (group & 3) * 3 & 7) << 8;
            const scale = d * (2 * (both >> 12 & 7) + 1);
            writeShifted(row, scale, both & 32768 ? -0.125 : 0.125, out, to + group * 8);
          }
        }
      },
      29: {
        name: "IQ1_M",
        // 32 rows' low bytes; their upper three bits and the shift's sign; 16 scales of 3 bits with d between
        blockSize: LARGE_BLOCK,
        blockBytes: 56,
        widen(bytes2, at, out, to) {
          const scales = [0, 2, 4, 6].map((place) => uint16At(bytes2, at + 48 + place));
          const d = float16FromBits(
            scales.reduce((half, part, index) => half | part >> 12 << 4 * index, 0)
          );
          for (let group = 0; group < 32; group += 1) {
            const high = nibbleAt(bytes2, at + 32, group);
            const row = bytes2[at + group] | (high & 7) << 8;
            const scale = d * (2 * (scales[group >> 3] >> (group >> 1 & 3) * 3 & 7) + 1);
            writeShifted(row, scale, high & 8 ? -0.125 : 0.125, out, to + group * 8);
          }
        }
      },
      20: {
        name: "IQ4_NL",
        // d; 32 nibbles
        blockSize: 32,
        blockBytes: 18,
        widen(bytes2, at, out, to) {
          writeCurve(bytes2, at + 2, float16At(bytes2, at), out, to);
        }
      },
      23: {
        name: "IQ4_XS",
        // d; the upper two bits of 8 scales, their lower four; 256 nibbles
        blockSize: LARGE_BLOCK,
        blockBytes: 136,
        widen(bytes2, at, out, to) {
          const d = float16At(bytes2, at);
          for (let run2 = 0; run2 < 8; run2 += 1) {
            const high = uint16At(bytes2, at + 2) >> 2 * run2 & 3;
            const scale = d * ((nibbleAt(bytes2, at + 4, run2) | high << 4) - 32);
            writeCurve(bytes2, at + 8 + run2 * 16, scale, out, to + run2 * 32);
          }
        }
      }
    };
  }
});

// src/weights/ggml/fp4.ts
function halfE4m3(byte) {
  if (byte === 127) return 0;
  const [exponent, fraction] = [byte >> 3 & 15, byte & 7];
  return exponent === 0 ? fraction * 2 ** -10 : (8 + fraction) * 2 ** (exponent - 11);
}
var DOUBLED, halfPower, FP4_TYPES;
var init_fp4 = __esm({
  "src/weights/ggml/fp4.ts"() {
    "use strict";
    init_float_bits();
    init_type();
    DOUBLED = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];
    halfPower = (exponent) => float32FromBits(exponent < 2 ? 2097152 << exponent : exponent - 1 << 23);
    FP4_TYPES = {
      39: {
        name: "MXFP4",
        // a power of two, 32 nibbles
        blockSize: 32,
        blockBytes: 17,
        widen(bytes2, at, out, to) {
          const d = halfPower(bytes2[at]);
          for (let index = 0; index < 16; index += 1) {
            const byte = bytes2[at + 1 + index];
            out[to + index] = d * DOUBLED[byte & 15];
            out[to + 16 + index] = d * DOUBLED[byte >> 4];
          }
        }
      },
      40: {
        name: "NVFP4",
        // four e4m3 scales, four times 16 nibbles
        blockSize: 64,
        blockBytes: 36,
        widen(bytes2, at, out, to) {
          for (let run2 = 0; run2 < 4; run2 += 1) {
            const d = fround(halfE4m3(bytes2[at + run2]));
            for (let index = 0; index < 8; index += 1) {
              const byte = bytes2[at + 4 + run2 * 8 + index];
              out[to + run2 * 16 + index] = d * DOUBLED[byte & 15];
              out[to + run2 * 16 + 8 + index] = d * DOUBLED[byte >> 4];
            }
          }
        }
      }
    };
  }
});

// src/weights/ggml/k.ts
function widenRunsOf32(bytes2, at, fifths, nibbles, out, to) {
  const [d, dOffset] = [float16At(bytes2, at), float16At(bytes2, at + 2)];
  const [a, b, c] = [at + 4, at + 8, at + 12];
  for (let run2 = 0; run2 < 8; run2 += 1) {
    const i = run2 & 3;
    const whole = run2 < 4;
    const scale = whole ? bytes2[a + i] & 63 : bytes2[c + i] & 15 | bytes2[a + i] >> 2 & 48;
    const offset = whole ? bytes2[b + i] & 63 : bytes2[c + i] >> 4 | bytes2[b + i] >> 2 & 48;
    const runScale = fround(d * scale);
    const runOffset = fround(dOffset * offset);
    const from = nibbles + (run2 >> 1) * 32;
    for (let index = 0; index < 32; index += 1) {
      const low = bytes2[from + index] >> ((run2 & 1) << 2) & 15;
      const high = fifths === void 0 ? 0 : bytes2[fifths + index] >> run2 & 1;
      out[to + run2 * 32 + index] = fround(runScale * (low | high << 4)) - runOffset;
    }
  }
}
function widenQ2K(bytes2, at, out, to) {
  const [d, dOffset] = [float16At(bytes2, at + 80), float16At(bytes2, at + 82)];
  for (let run2 = 0; run2 < 16; run2 += 1) {
    const both = bytes2[at + run2];
    const scale = fround(d * (both & 15));
    const offset = fround(dOffset * (both >> 4));
    for (let index = run2 * 16; index < run2 * 16 + 16; index += 1) {
      out[to + index] = fround(scale * bitPair(bytes2, at + 16, index)) - offset;
    }
  }
}
function widenQ3K(bytes2, at, out, to) {
  const d = float16At(bytes2, at + 108);
  for (let run2 = 0; run2 < 16; run2 += 1) {
    const low = bytes2[at + 96 + (run2 & 7)] >> (run2 < 8 ? 0 : 4) & 15;
    const high = bytes2[at + 104 + (run2 & 3)] >> (run2 >> 2 << 1) & 3;
    const scale = fround(d * ((low | high << 4) - 32));
    for (let index = run2 * 16; index < run2 * 16 + 16; index += 1) {
      const third = bytes2[at + (index & 31)] >> (index >> 5) & 1;
      out[to + index] = scale * ((bitPair(bytes2, at + 32, index) | third << 2) - 4);
    }
  }
}
function widenQ6K(bytes2, at, out, to) {
  const d = float16At(bytes2, at + 208);
  for (let run2 = 0; run2 < 16; run2 += 1) {
    const scale = fround(d * int8At(bytes2, at + 192 + run2));
    for (let index = run2 * 16; index < run2 * 16 + 16; index += 1) {
      const low = bytes2[at + (index >> 7 << 6) + (index & 63)] >> ((index & 64) >> 4) & 15;
      out[to + index] = scale * ((low | bitPair(bytes2, at + 128, index) << 4) - 32);
    }
  }
}
var bitPair, K_TYPES;
var init_k = __esm({
  "src/weights/ggml/k.ts"() {
    "use strict";
    init_type();
    bitPair = (bytes2, at, index) => bytes2[at + (index >> 7 << 5) + (index & 31)] >> ((index >> 5 & 3) << 1) & 3;
    K_TYPES = {
      10: { name: "Q2_K", blockSize: LARGE_BLOCK, blockBytes: 84, widen: widenQ2K },
      11: { name: "Q3_K", blockSize: LARGE_BLOCK, blockBytes: 110, widen: widenQ3K },
      12: {
        name: "Q4_K",
        blockSize: LARGE_BLOCK,
        blockBytes: 144,
        widen(bytes2, at, out, to) {
          widenRunsOf32(bytes2, at, void 0, at + 16, out, to);
        }
      },
      13: {
        name: "Q5_K",
        blockSize: LARGE_BLOCK,
        blockBytes: 176,
        widen(bytes2, at, out, to) {
          widenRunsOf32(bytes2, at, at + 16, at + 48, out, to);
        }
      },
      14: { name: "Q6_K", blockSize: LARGE_BLOCK, blockBytes: 210, widen: widenQ6K }
    };
  }
});

// src/weights/ggml/plain.ts
function widen32(bytes2, at, fifths, { scale, zero, offset }, out, to) {
  for (let index = 0; index < 32; index += 1) {
    const low = bytes2[at + (index & 15)] >> (index < 16 ? 0 : 4) & 15;
    const high = fifths === void 0 ? 0 : bytes2[fifths + (index >> 3)] >> (index & 7) & 1;
    out[to + index] = fround(scale * ((low | high << 4) - zero)) + offset;
  }
}
var NO_OFFSET, Q8_0, Q4_0, PLAIN_TYPES;
var init_plain = __esm({
  "src/weights/ggml/plain.ts"() {
    "use strict";
    init_float_bits();
    init_type();
    NO_OFFSET = -0;
    Q8_0 = {
      name: "Q8_0",
      // d, 32 signed bytes
      blockSize: 32,
      blockBytes: 34,
      widen(bytes2, at, out, to) {
        const d = float16At(bytes2, at);
        for (let index = 0; index < 32; index += 1) out[to + index] = d * int8At(bytes2, at + 2 + index);
      },
      exact: {
        format: { bits: 8, blockSize: 32 },
        rewrite(bytes2, at, blocks, to) {
          for (let index = 0; index < 32; index += 1) blocks[to + index] = bytes2[at + 2 + index] ^ 128;
        }
      }
    };
    Q4_0 = {
      name: "Q4_0",
      // d, 32 nibbles
      blockSize: 32,
      blockBytes: 18,
      widen(bytes2, at, out, to) {
        widen32(bytes2, at + 2, void 0, { scale: float16At(bytes2, at), zero: 8, offset: NO_OFFSET }, out, to);
      },
      exact: {
        format: { bits: 4, blockSize: 32 },
        rewrite(bytes2, at, blocks, to) {
          for (let index = 0; index < 8; index += 1) {
            const [even, odd] = [bytes2[at + 2 + 2 * index], bytes2[at + 3 + 2 * index]];
            blocks[to + index] = even & 15 | (odd & 15) << 4;
            blocks[to + 8 + index] = even >> 4 | odd & 240;
          }
        }
      }
    };
    PLAIN_TYPES = {
      0: {
        name: "F32",
        blockSize: 1,
        blockBytes: 4,
        widen(bytes2, at, out, to) {
          out[to] = float32FromBits(uint32At(bytes2, at));
        }
      },
      1: {
        name: "F16",
        blockSize: 1,
        blockBytes: 2,
        widen(bytes2, at, out, to) {
          out[to] = float16At(bytes2, at);
        }
      },
      2: Q4_0,
      3: {
        name: "Q4_1",
        // d, offset, 32 nibbles
        blockSize: 32,
        blockBytes: 20,
        widen(bytes2, at, out, to) {
          const numbers = { scale: float16At(bytes2, at), zero: 0, offset: float16At(bytes2, at + 2) };
          widen32(bytes2, at + 4, void 0, numbers, out, to);
        }
      },
      6: {
        name: "Q5_0",
        // d, 32 fifth bits, 32 nibbles
        blockSize: 32,
        blockBytes: 22,
        widen(bytes2, at, out, to) {
          widen32(bytes2, at + 6, at + 2, { scale: float16At(bytes2, at), zero: 16, offset: NO_OFFSET }, out, to);
        }
      },
      7: {
        name: "Q5_1",
        // d, offset, 32 fifth bits, 32 nibbles
        blockSize: 32,
        blockBytes: 24,
        widen(bytes2, at, out, to) {
          const numbers = { scale: float16At(bytes2, at), zero: 0, offset: float16At(bytes2, at + 2) };
          widen32(bytes2, at + 8, at + 4, numbers, out, to);
        }
      },
      8: Q8_0,
      30: {
        name: "BF16",
        blockSize: 1,
        blockBytes: 2,
        widen(bytes2, at, out, to) {
          out[to] = bfloat16FromBits(uint16At(bytes2, at));
        }
      }
    };
  }
});

// src/weights/ggml/ternary.ts
var THIRDS, digitOf, TERNARY_TYPES;
var init_ternary = __esm({
  "src/weights/ggml/ternary.ts"() {
    "use strict";
    init_type();
    THIRDS = [1, 3, 9, 27, 81];
    digitOf = (byte, place) => ((byte * THIRDS[place] & 255) * 3 >> 8) - 1;
    TERNARY_TYPES = {
      34: {
        name: "TQ1_0",
        // 32, then 16 bytes of five digits, 4 of four; d
        blockSize: LARGE_BLOCK,
        blockBytes: 54,
        widen(bytes2, at, out, to) {
          const d = float16At(bytes2, at + 52);
          for (let index = 0; index < LARGE_BLOCK; index += 1) {
            const [start, first, width] = index < 160 ? [0, 0, 32] : index < 240 ? [32, 160, 16] : [48, 240, 4];
            const within2 = index - first;
            const byte = bytes2[at + start + within2 % width];
            out[to + index] = d * digitOf(byte, Math.floor(within2 / width));
          }
        }
      },
      35: {
        name: "TQ2_0",
        // 64 bytes of four pairs of bits; d
        blockSize: LARGE_BLOCK,
        blockBytes: 66,
        widen(bytes2, at, out, to) {
          const d = float16At(bytes2, at + 64);
          for (let index = 0; index < LARGE_BLOCK; index += 1) {
            const byte = bytes2[at + (index >> 7 << 5) + (index & 31)];
            out[to + index] = d * ((byte >> ((index >> 5 & 3) << 1) & 3) - 1);
          }
        }
      }
    };
  }
});

// src/weights/quantized.ts
var blocksPerRow, bytesPerBlock;
var init_quantized = __esm({
  "src/weights/quantized.ts"() {
    "use strict";
    blocksPerRow = (columns, { blockSize }) => Math.ceil(columns / blockSize);
    bytesPerBlock = ({ bits: bits2, blockSize }) => blockSize * bits2 / 8;
  }
});

// src/weights/gguf-types.ts
function dequantize({ blockSize, blockBytes: blockBytes2, widen }, bytes2) {
  const numBlocks = bytes2.length / blockBytes2;
  const numbers = new Float32Array(numBlocks * blockSize);
  for (let block = 0; block < numBlocks; block += 1) {
    widen(bytes2, block * blockBytes2, numbers, block * blockSize);
  }
  return numbers;
}
function reblock({ blockBytes: blockBytes2 }, { format, rewrite: rewrite2 }, bytes2) {
  const numBlocks = bytes2.length / blockBytes2;
  const written = bytesPerBlock(format);
  const blocks = new Uint8Array(numBlocks * written);
  const scales = new Float32Array(numBlocks);
  for (let block = 0; block < numBlocks; block += 1) {
    scales[block] = float16At(bytes2, block * blockBytes2);
    rewrite2(bytes2, block * blockBytes2, blocks, block * written);
  }
  return { blocks, scales };
}
var TYPES, ggufTypeOf, GGUF_TYPES;
var init_gguf_types = __esm({
  "src/weights/gguf-types.ts"() {
    "use strict";
    init_iq();
    init_fp4();
    init_k();
    init_plain();
    init_ternary();
    init_type();
    init_quantized();
    TYPES = { ...PLAIN_TYPES, ...K_TYPES, ...IQ_TYPES, ...TERNARY_TYPES, ...FP4_TYPES };
    ggufTypeOf = (code) => TYPES[code];
    GGUF_TYPES = "F32, F16, BF16, Q4_0 to Q8_0, Q2_K to Q6_K, IQ1_S to IQ4_XS, TQ1_0, TQ2_0, MXFP4 and NVFP4";
  }
});

// src/weights/open-weights.ts
import { open as open2 } from "node:fs/promises";
async function withWeightsFile(file, read) {
  const handle = await open2(file, "r").catch((cause) => {
    throw new RetouchError("CHECKPOINT_MISSING", faultOf(file, "cannot be opened"), { cause });
  });
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) throw new RetouchError("CHECKPOINT_INVALID", faultOf(file, "is a folder"));
    return await read(handle, stats.size);
  } finally {
    await handle.close();
  }
}
var faultOf, damaged;
var init_open_weights = __esm({
  "src/weights/open-weights.ts"() {
    "use strict";
    init_errors();
    faultOf = (file, fault) => failure("file", { what: "weights file", file, fault });
    damaged = (file, detail, cause) => new RetouchError("CHECKPOINT_INVALID", faultOf(file, `is damaged: ${detail}`), { cause });
  }
});

// src/weights/network-keys.ts
function splitKey(key, known) {
  for (const network of known) {
    const prefix = network.prefixes.find((one2) => key.startsWith(one2));
    if (prefix !== void 0) return { network, prefix };
  }
  return { network: void 0, prefix: "" };
}
function layoutOf(keys, known) {
  for (const network of known) {
    const layout = network.layouts.find(
      ({ signs }) => signs.every((sign) => keys.some((key) => sign.test(key)))
    );
    if (layout) return { network, ...layout };
  }
  return void 0;
}
function mismatchOf({ network, model: model2 }, wanted) {
  if (network !== wanted.network) return `is ${network.text}, and ${wanted.network.text} is wanted`;
  if (model2 === wanted.model) return void 0;
  return `is ${network.text} of ${model2}, and one of ${wanted.model} is wanted`;
}
function unknownPrefixOf(keys, known) {
  for (const key of keys) {
    for (let dot = key.indexOf("."); dot !== -1; dot = key.indexOf(".", dot + 1)) {
      const layout = layoutOf([key.slice(dot + 1)], known);
      if (layout !== void 0) return { prefix: key.slice(0, dot + 1), layout };
    }
  }
  return void 0;
}
var OTHERS, PACKED, signOf, otherFileOf, packingOf;
var init_network_keys = __esm({
  "src/weights/network-keys.ts"() {
    "use strict";
    OTHERS = [
      [
        /^lora_(?:unet|te\d?|transformer)_|\.(?:lora_[AB](?:\.default)?|lora_down|lora_up|lora\.down|lora\.up)\.weight$/,
        "a LoRA"
      ],
      [/_lora\d?\.(?:down|up)\.weight$|\.(?:hada_w1_[ab]|lokr_w[12](?:_[ab])?)$/, "a LoRA"],
      [/^controlnet_(?:blocks|single_blocks|x_embedder)\./, "a ControlNet"],
      [/^(?:input_blocks|output_blocks)\.\d+\.|^down_blocks\.\d+\.resnets\./, "a UNet of Stable Diffusion"]
    ];
    PACKED = [
      [/\.quant_state\.bitsandbytes__nf4$/, "NF4 by bitsandbytes"],
      [/\.quant_state\.bitsandbytes__fp4$/, "FP4 by bitsandbytes"],
      [/\.weight_scale_2$/, "NVFP4"],
      [/\.qweight$/, "few bits by GPTQ, AWQ or SVDQuant"]
    ];
    signOf = (keys, signs) => signs.find(([sign]) => keys.some((key) => sign.test(key)))?.[1];
    otherFileOf = (keys) => signOf(keys, OTHERS);
    packingOf = (keys) => signOf(keys, PACKED);
  }
});

// src/weights/unused-keys.ts
function unusedNotice(name, keys) {
  if (keys.length === 0) return [];
  const more = keys.length > SHOWN_KEYS ? ` and ${keys.length - SHOWN_KEYS} more` : "";
  const shown = keys.slice(0, SHOWN_KEYS).join(", ");
  return [`${name}: the network does without ${shown}${more}, for which its configuration has no place.`];
}
var DERIVED_KEYS, SHOWN_KEYS, isDerived;
var init_unused_keys = __esm({
  "src/weights/unused-keys.ts"() {
    "use strict";
    DERIVED_KEYS = /(^|\.)(?:position_ids|num_batches_tracked)$/;
    SHOWN_KEYS = 3;
    isDerived = (key) => DERIVED_KEYS.test(key);
  }
});

// src/weights/tensor-file.ts
var OUTSIDE, SHOWN_KEYS2, TensorFile, elements;
var init_tensor_file = __esm({
  "src/weights/tensor-file.ts"() {
    "use strict";
    init_errors();
    init_graph();
    init_network_keys();
    init_unused_keys();
    OUTSIDE = "\0";
    SHOWN_KEYS2 = 3;
    TensorFile = class {
      file;
      #wanted;
      /** The network's tensors by their keys without its prefix, and what has no known prefix where others have one. */
      tensors;
      /** What their keys are in the file. */
      #names;
      /** The prefix of most of them. */
      #prefix;
      #held;
      /** What the whole file is, if it is no network. */
      #other;
      #readable;
      /** @param wanted of a file of several networks, only the keys of this one are looked at */
      constructor(file, wanted, tensors, readable) {
        this.file = file;
        const { network, known } = wanted;
        this.#wanted = wanted;
        this.#readable = readable;
        const split2 = [...tensors].map(([name, tensor]) => ({ name, tensor, of: splitKey(name, known) }));
        this.#held = [...new Set(split2.flatMap(({ of }) => of.network ?? []))];
        this.#other = otherFileOf(split2.map(({ name, of }) => name.slice(of.prefix.length)));
        const own = split2.filter(({ of }) => of.network === network || of.network === void 0);
        const present = new Set(own.map(({ of }) => of.prefix));
        this.#prefix = network.prefixes.find((prefix) => present.has(prefix)) ?? "";
        const keyOf = ({ name, of }) => this.#held.length > 0 && of.prefix === "" ? `${OUTSIDE}${name}` : name.slice(of.prefix.length);
        this.tensors = new Map(own.map((one2) => [keyOf(one2), one2.tensor]));
        this.#names = new Map(own.map((one2) => [keyOf(one2), one2.name]));
        const hidden = own.find((one2) => this.#names.get(keyOf(one2)) !== one2.name);
        if (hidden)
          throw this.invalid(`has ${hidden.name} and ${this.#names.get(keyOf(hidden))}, which are one weight`);
      }
      has(key) {
        return this.tensors.has(key);
      }
      /** Whether the wanted network is in it. */
      get isHeld() {
        const { network, known } = this.#wanted;
        return layoutOf([...this.tensors.keys()], known)?.network === network;
      }
      /**
       * The name of the layout that the wanted network's weights have.
       * @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, saying what the file is instead
       */
      layout() {
        const keys = [...this.tensors.keys()];
        const packing = packingOf(keys);
        if (packing !== void 0) {
          throw new RetouchError(
            "CHECKPOINT_UNSUPPORTED",
            `The weights file ${this.file} has its matrices packed as ${packing}; ${this.#readable.names} can be read.`
          );
        }
        const { network, known } = this.#wanted;
        const wanted = network.text;
        if (this.#other !== void 0) throw this.invalid(`is ${this.#other}, and ${wanted} is wanted`);
        if (this.#held.length > 0 && !this.#held.includes(network)) {
          const held = this.#held.map(({ text: text3 }) => text3).join(" and ");
          throw this.invalid(`holds ${held}, and ${wanted} is wanted`);
        }
        const layout = layoutOf(keys, known);
        if (layout !== void 0) {
          const mismatch = mismatchOf(layout, this.#wanted);
          if (mismatch === void 0) return layout.name;
          throw this.invalid(mismatch);
        }
        const unknown = unknownPrefixOf(keys, known);
        if (unknown !== void 0) {
          throw this.invalid(
            `has the keys of ${unknown.layout.network.text} under the prefix ${unknown.prefix}, which is not known`
          );
        }
        throw this.invalid(`is not known as ${wanted}: it holds ${this.#shown(keys)}`);
      }
      /** A dimension of a tensor, for reading a network's sizes from its weights. */
      dimension(key, axis) {
        const tensor = this.tensors.get(key);
        if (!tensor) throw this.invalid(`lacks the weight ${this.named(key)}`);
        const dim = tensor.shape[axis];
        if (dim === void 0 || dim === 0) {
          throw this.invalid(`has ${this.named(key)} in the shape ${showShape(tensor.shape)}, which has no use`);
        }
        return dim;
      }
      /** How many different numbers follow `prefix` in the keys: the number of blocks, if they are numbered from 0. */
      countBelow(prefix) {
        const rest = [...this.tensors.keys()].filter((key) => key.startsWith(`${prefix}.`));
        const indices2 = rest.map((key) => key.slice(prefix.length + 1).split(".")[0]);
        return new Set(indices2.filter((index) => /^\d+$/.test(index))).size;
      }
      /** Keys of parts of the wanted network that are not used, as they are in the file. */
      unusedKeys() {
        const unused = [...this.tensors.keys()].filter((key) => this.#isUnused(key) && !isDerived(key));
        return unused.map((key) => this.named(key));
      }
      /** The layout of a file that has the network's own keys. */
      ownLayout() {
        return [...this.tensors].filter(([key]) => !this.#isUnused(key)).map(([key, { shape }]) => ({ key, shape, parts: [{ key, shape }] }));
      }
      /**
       * Finds the tensor of every entry.
       * @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED for the first key that is missing, unknown, of
       * another shape or of a type that cannot be read
       */
      tensorsOf(layout) {
        const found = layout.map((entry2) => ({ entry: entry2, tensor: this.#tensorOf(entry2) }));
        this.#assertKnown(new Set(layout.map(({ key }) => key)));
        return found;
      }
      /** A key as it is in the file, or would be. */
      named(key) {
        return this.#names.get(key) ?? `${this.#prefix}${key}`;
      }
      invalid(what) {
        return new RetouchError("CHECKPOINT_INVALID", `The weights file ${this.file} ${what}.`);
      }
      #tensorOf({ key, shape }) {
        const tensor = this.tensors.get(key);
        if (!tensor) throw this.invalid(`lacks the weight ${this.named(key)} ${showShape(shape)}`);
        if (showShape(tensor.shape) !== showShape(shape)) {
          throw this.invalid(
            `has ${this.named(key)} in the shape ${showShape(tensor.shape)} where ${showShape(shape)} is wanted`
          );
        }
        if (!this.#readable.test(tensor)) {
          throw new RetouchError(
            "CHECKPOINT_UNSUPPORTED",
            `The weights file ${this.file} stores ${this.named(key)} as ${tensor.storedType}; ${this.#readable.names} can be read.`
          );
        }
        return tensor;
      }
      #assertKnown(known) {
        const unknown = [...this.tensors.keys()].filter((key) => !known.has(key) && !this.#isUnused(key));
        if (unknown.length === 0) return;
        throw this.invalid(`holds ${this.#shown(unknown)}, for which the network has no place`);
      }
      #isUnused(key) {
        return this.#wanted.network.unused?.test(key) ?? false;
      }
      #shown(keys) {
        const shown = keys.slice(0, SHOWN_KEYS2).map((key) => this.named(key));
        const more = keys.length - shown.length;
        return `${shown.join(", ") || "nothing"}${more > 0 ? ` and ${more} more` : ""}`;
      }
    };
    elements = (shape) => shape.reduce((product2, dim) => product2 * dim, 1);
  }
});

// src/weights/gguf.ts
import path4 from "node:path";
async function readGgufHeader(file) {
  const size = await checkStart(file);
  const header = await parse(file);
  const [, headerEnd] = header.tensorInfoByteRange;
  if (headerEnd > size) throw damaged(file, `it ends after ${size} bytes, inside the header`);
  const dataStart = Number(header.tensorDataOffset);
  const settings = { ...header.metadata };
  const alignment = Number(settings["general.alignment"] ?? 32);
  if (!Number.isInteger(Math.log2(alignment)) || dataStart < headerEnd) {
    throw damaged(file, `its tensors are aligned to ${alignment} bytes, which is no power of two in use`);
  }
  const tensors = /* @__PURE__ */ new Map();
  for (const { name, shape: dims, dtype: code, offset } of header.tensorInfos) {
    if (name.length > MAX_KEY_CHARACTERS || dims.length > MAX_DIMENSIONS) {
      throw damaged(file, `${name.slice(0, 50)}... is no tensor of a network`);
    }
    if (tensors.has(name)) throw damaged(file, `it has ${name} twice`);
    const stored = dims.map(Number).toReversed();
    const type = ggufTypeOf(code);
    const storedType = type?.name ?? `type ${code}`;
    if (type && (stored.at(-1) ?? 1) % type.blockSize !== 0) {
      throw damaged(
        file,
        `${name} ${showShape(stored)} is ${storedType}, whose blocks have ${type.blockSize} numbers`
      );
    }
    const shape = shapeOf(file, name, stored, settings[`${SHAPE_SETTING}${name}`]);
    const byteOffset = dataStart + Number(offset);
    const byteLength = type ? elements(shape) / type.blockSize * type.blockBytes : 0;
    if (byteOffset + byteLength > size) {
      throw damaged(file, `${name} should end at byte ${byteOffset + byteLength} and the file has ${size}`);
    }
    tensors.set(name, { type, storedType, shape, byteOffset, byteLength });
  }
  checkApart(file, tensors);
  return tensors;
}
function shapeOf(file, name, stored, setting) {
  if (setting === void 0) return stored;
  const shape = Array.isArray(setting) ? setting.map(Number) : [];
  const isShape = shape.length <= MAX_DIMENSIONS && shape.every((dim) => Number.isSafeInteger(dim) && dim > 0);
  if (!isShape || elements(shape) !== elements(stored)) {
    throw damaged(file, `${SHAPE_SETTING}${name} does not fit the tensor's shape ${showShape(stored)}`);
  }
  return shape;
}
function checkStart(file) {
  return withWeightsFile(file, async (handle, size) => {
    const start = Buffer.alloc(START_BYTES);
    const { bytesRead } = await handle.read(start, 0, START_BYTES, 0);
    if (bytesRead !== START_BYTES || start.toString("latin1", 0, 4) !== "GGUF") {
      throw damaged(file, "it does not begin as a GGUF file does");
    }
    const version = start.readUInt32LE(4);
    if (!VERSIONS.includes(version)) {
      throw new RetouchError(
        "CHECKPOINT_UNSUPPORTED",
        `The weights file ${file} is GGUF version ${version}; versions ${VERSIONS.join(" and ")}, little-endian, can be read.`
      );
    }
    const count = start.readBigUInt64LE(8);
    if (count > MAX_TENSORS || Number(count) * MIN_TENSOR_BYTES > size) {
      throw damaged(file, `its header claims ${count} tensors and the file has ${size} bytes`);
    }
    return size;
  });
}
async function parse(file) {
  const { gguf } = await import("@huggingface/gguf");
  return gguf(path4.resolve(file), { allowLocalFile: true }).catch((cause) => {
    throw damaged(file, "its header cannot be read", cause);
  });
}
function checkApart(file, tensors) {
  const inOrder = [...tensors].toSorted(([, a], [, b]) => a.byteOffset - b.byteOffset);
  for (const [index, [name, { byteOffset }]] of inOrder.entries()) {
    const [before, { byteOffset: start, byteLength }] = inOrder[index - 1] ?? [
      name,
      { byteOffset, byteLength: 0 }
    ];
    if (start + byteLength > byteOffset) throw damaged(file, `${name} begins inside ${before}`);
  }
}
var SHAPE_SETTING, START_BYTES, VERSIONS, MIN_TENSOR_BYTES;
var init_gguf = __esm({
  "src/weights/gguf.ts"() {
    "use strict";
    init_errors();
    init_graph();
    init_gguf_types();
    init_limits();
    init_open_weights();
    init_tensor_file();
    SHAPE_SETTING = "comfy.gguf.orig_shape.";
    START_BYTES = 24;
    VERSIONS = [2, 3];
    MIN_TENSOR_BYTES = 24;
  }
});

// src/weights/gguf-file.ts
import { open as open3 } from "node:fs/promises";
function weightsOf(file, { parts, isSwapped = false }, tensor) {
  const { type } = tensor;
  let end = 0;
  return parts.map(({ key, shape }) => {
    const first = end;
    end += elements(shape);
    const numRows = shape[0] ?? 1;
    const rowSize = elements(shape) / numRows;
    const rangesOf = (from, to) => storedRows(from, to, isSwapped ? numRows / 2 : 0).map(([a, b]) => [
      first + a * rowSize,
      first + b * rowSize
    ]);
    const weight2 = {
      key,
      shape,
      async rows(from, to) {
        const rows2 = new Float32Array((to - from) * rowSize);
        let at = 0;
        for (const range of rangesOf(from, to)) {
          const numbers = await readNumbers(file, tensor, range);
          rows2.set(numbers, at);
          at += numbers.length;
        }
        return rows2;
      }
    };
    const isWhole2 = shape.length === 2 && rowSize % type.blockSize === 0;
    if (type.exact && isWhole2) weight2.blocks = blocksOf(file, tensor, type.exact, rangesOf);
    return weight2;
  });
}
function blocksOf(file, tensor, exact, rangesOf) {
  return {
    ...exact.format,
    async read(from, to) {
      const bytes2 = [];
      for (const range of rangesOf(from, to)) bytes2.push((await readBlocks(file, tensor, range)).bytes);
      return reblock(tensor.type, exact, bytes2.length === 1 ? bytes2[0] : Buffer.concat(bytes2));
    }
  };
}
function storedRows(from, to, half) {
  if (half === 0) return [[from, to]];
  const ranges = [
    [from + half, Math.min(to, half) + half],
    [Math.max(from, half) - half, to - half]
  ];
  return ranges.filter(([start, end]) => start < end);
}
async function readNumbers(file, tensor, [from, to]) {
  const { bytes: bytes2, start } = await readBlocks(file, tensor, [from, to]);
  return dequantize(tensor.type, bytes2).subarray(from - start, to - start);
}
async function readBlocks(file, { type: { blockSize, blockBytes: blockBytes2 }, byteOffset }, [from, to]) {
  const block = Math.floor(from / blockSize);
  const length2 = (Math.ceil(to / blockSize) - block) * blockBytes2;
  const bytes2 = new Uint8Array(length2);
  const handle = await open3(file, "r");
  try {
    const { bytesRead } = await handle.read(bytes2, 0, length2, byteOffset + block * blockBytes2);
    if (bytesRead !== length2) {
      throw new RetouchError(
        "CHECKPOINT_INVALID",
        `The weights file ${file} became shorter while it was read.`
      );
    }
  } finally {
    await handle.close();
  }
  return { bytes: bytes2, start: block * blockSize };
}
var BF16, GgufFile, bytesOf2, isReadable;
var init_gguf_file = __esm({
  "src/weights/gguf-file.ts"() {
    "use strict";
    init_errors();
    init_gguf_types();
    init_gguf();
    init_tensor_file();
    BF16 = ggufTypeOf(30);
    GgufFile = class _GgufFile extends TensorFile {
      constructor(file, wanted, tensors) {
        super(file, wanted, tensors, { test: isReadable, names: GGUF_TYPES });
      }
      /**
       * Reads the header of `file`.
       * @param wanted which of the networks in it
       * @throws RetouchError as `readGgufHeader` does
       */
      static async open(file, wanted) {
        return new _GgufFile(file, wanted, await readGgufHeader(file));
      }
      /**
       * Gives the network its weights under its own keys.
       * @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED for the first key that is missing, unknown, of
       * another shape or of a type that cannot be read
       */
      arrange(layout) {
        const found = this.tensorsOf(layout);
        const weights = found.flatMap(
          ({ entry: entry2, tensor }) => weightsOf(this.file, entry2, tensor)
        );
        const byteLength = bytesOf2(found);
        const inBfloat16 = found.filter(({ tensor }) => tensor.type === BF16);
        const half = 2 * bytesOf2(inBfloat16) > byteLength ? "bf16" : "fp16";
        return { name: this.file, files: [this.file], byteLength, half, weights: () => weights };
      }
    };
    bytesOf2 = (found) => found.reduce((sum, { tensor }) => sum + tensor.byteLength, 0);
    isReadable = ({ type }) => type !== void 0;
  }
});

// src/weights/safetensors.ts
async function readSafetensorsHeader(file) {
  return (await readSafetensors(file)).tensors;
}
async function readSafetensors(file) {
  return withWeightsFile(file, async (handle, size) => {
    const lengthBytes = await readExactly(file, handle, 0, 8, size);
    const headerLength = Number(lengthBytes.readBigUInt64LE());
    if (headerLength > MAX_HEADER_BYTES || headerLength + 8 > size) {
      throw damaged(file, `its header claims ${headerLength} bytes and the file has ${size}`);
    }
    const header = await readExactly(file, handle, 8, headerLength, size);
    return parseHeader(file, header.toString("utf8"), headerLength + 8, size);
  });
}
async function readExactly(file, handle, from, length2, size) {
  const buffer = Buffer.alloc(length2);
  const { bytesRead } = await handle.read(buffer, 0, length2, from);
  if (bytesRead !== length2) throw damaged(file, `it ends after ${size} bytes, inside the header`);
  return buffer;
}
function parseHeader(file, json, dataStart, fileSize) {
  let header;
  try {
    header = JSON.parse(json);
  } catch (cause) {
    throw damaged(file, "its header is no JSON", cause);
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw damaged(file, "its header is no JSON object");
  }
  const { __metadata__: metadata, ...entries } = header;
  const tensors = /* @__PURE__ */ new Map();
  const all = Object.entries(entries);
  if (all.length > MAX_TENSORS) {
    throw damaged(file, `its header lists ${all.length} tensors, and a file has at most ${MAX_TENSORS}`);
  }
  for (const [key, entry2] of all) {
    if (key.length > MAX_KEY_CHARACTERS) {
      throw damaged(
        file,
        `its header has a name of ${key.length} characters, where ${MAX_KEY_CHARACTERS} are the most`
      );
    }
    if (!isHeaderEntry(entry2)) throw damaged(file, `the header's entry ${key} is malformed`);
    const [start, end] = entry2.data_offsets;
    const dtype = dtypeFromSafetensors(entry2.dtype);
    const count = entry2.shape.reduce((product2, dim) => product2 * dim, 1);
    if (end < start || dtype && end - start !== count * byteSizeOf(dtype)) {
      throw damaged(
        file,
        `${key} has ${end - start} bytes, which do not fit ${entry2.dtype} [${entry2.shape.join(", ")}]`
      );
    }
    if (dataStart + end > fileSize) {
      throw damaged(file, `${key} should end at byte ${dataStart + end} and the file has ${fileSize}`);
    }
    tensors.set(key, {
      file,
      dtype,
      storedType: entry2.dtype,
      shape: entry2.shape,
      byteOffset: dataStart + start,
      byteLength: end - start
    });
  }
  assertContiguous(file, tensors, dataStart, fileSize);
  const texts = Object.entries(metadata ?? {}).filter(([, value]) => typeof value === "string");
  return { tensors, metadata: new Map(texts) };
}
function assertContiguous(file, tensors, dataStart, fileSize) {
  const inOrder = [...tensors].toSorted(
    ([, a], [, b]) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength
  );
  let end = dataStart;
  for (const [key, { byteOffset, byteLength }] of inOrder) {
    if (byteOffset !== end) {
      throw damaged(
        file,
        `${key} begins at byte ${byteOffset}, and the tensor before it ends at byte ${end}`
      );
    }
    end += byteLength;
  }
  if (end !== fileSize) {
    throw damaged(file, `its tensors end at byte ${end} and the file has ${fileSize}`);
  }
}
function isHeaderEntry(value) {
  if (typeof value !== "object" || value === null) return false;
  const { dtype, shape, data_offsets: offsets } = value;
  const isCount = (item) => Number.isSafeInteger(item) && item >= 0;
  return typeof dtype === "string" && dtype.length <= MAX_TYPE_CHARACTERS && Array.isArray(shape) && shape.length <= MAX_DIMENSIONS && shape.every(isCount) && Array.isArray(offsets) && offsets.length === 2 && offsets.every(isCount);
}
var MAX_TYPE_CHARACTERS, MAX_HEADER_BYTES;
var init_safetensors = __esm({
  "src/weights/safetensors.ts"() {
    "use strict";
    init_limits();
    init_open_weights();
    init_dtype();
    MAX_TYPE_CHARACTERS = 32;
    MAX_HEADER_BYTES = 1e8;
  }
});

// src/weights/weight-set.ts
import path5 from "node:path";
function assertReadable(name, key, tensor) {
  if (isReadable2(tensor)) return;
  throw new RetouchError(
    "CHECKPOINT_UNSUPPORTED",
    `${name}: the weight ${key} is stored as ${tensor.storedType}; ${READABLE_TYPES} can be read.`
  );
}
function partsOf(stored) {
  if ("blocks" in stored) return [stored.blocks, stored.scales];
  return "parts" in stored ? stored.parts : [stored];
}
function commonFolder(files) {
  let folder2 = path5.dirname(files[0] ?? path5.sep);
  for (const file of files) {
    while (path5.relative(folder2, file).startsWith("..")) folder2 = path5.dirname(folder2);
  }
  return folder2;
}
var QUANTISATION_KEYS, FLOAT8, READABLE, READABLE_TYPES, isReadable2, WeightSet, StoredScope, scalesKeyOf;
var init_weight_set = __esm({
  "src/weights/weight-set.ts"() {
    "use strict";
    init_errors();
    init_graph();
    init_ops();
    init_unused_keys();
    QUANTISATION_KEYS = /\.(?:weight_scale(?:_2|_inv)?|scale_weight|SCB|qweight|qzeros|weight\.(?:absmax|quant_map|nested_absmax|quant_state\.[^.]{1,100}))$/;
    FLOAT8 = /^F8_/;
    READABLE = /* @__PURE__ */ new Set([
      ...["float64", "float32", "float16", "bfloat16", "float8e4m3fn", "float8e5m2"],
      ...["int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool"]
    ]);
    READABLE_TYPES = "F64, F32, F16, BF16, F8_E4M3, F8_E5M2, whole numbers and BOOL";
    isReadable2 = ({ dtype }) => dtype !== void 0 && READABLE.has(dtype);
    WeightSet = class _WeightSet {
      /** What a message calls this network: its folder. */
      name;
      /** The folder that the locations of external data are relative to. */
      baseFolder;
      isKeptHalf;
      #accuracyLevel;
      #tensors;
      #used = /* @__PURE__ */ new Set();
      constructor(name, tensors, options = {}) {
        const { accuracyLevel = 4, isKeptHalf = false } = options;
        this.name = name;
        this.isKeptHalf = isKeptHalf;
        this.#accuracyLevel = accuracyLevel;
        this.#tensors = tensors;
        this.baseFolder = commonFolder([...tensors.values()].flatMap(partsOf).map(({ file }) => file));
      }
      /** Tells these weights from others: their files, and how they are loaded. */
      get signature() {
        const files = new Set([...this.#tensors.values()].flatMap(partsOf).map(({ file }) => file));
        return JSON.stringify([...files, this.#tensors.size, this.isKeptHalf, this.#accuracyLevel]);
      }
      /** The same weights, with other options for loading them. */
      with(options) {
        return new _WeightSet(this.name, this.#tensors, options);
      }
      /** Only the weights whose keys fit. */
      only(isRead) {
        return new _WeightSet(this.name, new Map([...this.#tensors].filter(([key]) => isRead(key))));
      }
      /** The keys under `prefix`; "" is the whole set. Each network has a scope of its own, and asks for a weight once. */
      scope(prefix = "", adapt) {
        return new StoredScope(this, prefix, adapt);
      }
      has(key) {
        return this.#tensors.has(key);
      }
      hasBelow(prefix) {
        return [...this.#tensors.keys()].some((key) => key.startsWith(`${prefix}.`));
      }
      /** The weights themselves, by key. */
      entries() {
        return this.#tensors.entries();
      }
      /**
       * A weight as float32.
       * @throws RetouchError CHECKPOINT_INVALID when the key is missing or has another shape, CHECKPOINT_UNSUPPORTED for a
       * type that cannot be read
       */
      take(key, shape) {
        const stored = this.#find(key, shape);
        if ("blocks" in stored) {
          throw new RetouchError(
            "CHECKPOINT_UNSUPPORTED",
            `${this.name}: the weight ${key} is stored in ${stored.bits} bits; only matrices of linear layers can be.`
          );
        }
        return this.#assemble(key, stored);
      }
      /** The matrix of a linear layer, as float32 or in its few bits. @throws as {@link take} */
      takeMatrix(key, shape) {
        const stored = this.#find(key, shape);
        if (!("blocks" in stored)) return this.#assemble(key, stored);
        this.#used.add(key);
        return {
          shape,
          bits: stored.bits,
          blockSize: stored.blockSize,
          blocks: this.#external(key, stored.blocks),
          scales: this.#external(scalesKeyOf(key), stored.scales),
          accuracyLevel: this.#accuracyLevel
        };
      }
      /** Rows of a table, as float32; other rows are not widened. @throws as {@link take} */
      takeRows(key, shape, indices2) {
        const stored = this.#find(key, shape);
        const isCastFirst = "parts" in stored || "blocks" in stored || FLOAT8.test(stored.storedType);
        if (isCastFirst || !isReadable2(stored)) return gather(this.take(key, shape), indices2);
        this.#used.add(key);
        return toFloat32(gather(this.#external(key, stored), indices2));
      }
      #find(key, shape) {
        const stored = this.#tensors.get(key);
        if (!stored) {
          throw new RetouchError(
            "CHECKPOINT_INVALID",
            `${this.name}: the weight ${key} ${showShape(shape)} is missing.`
          );
        }
        if (showShape(stored.shape) !== showShape(shape)) {
          throw new RetouchError(
            "CHECKPOINT_INVALID",
            `${this.name}: the weight ${key} has the shape ${showShape(stored.shape)} where the configuration asks for ${showShape(shape)}.`
          );
        }
        return stored;
      }
      #assemble(key, stored) {
        const parts = partsOf(stored);
        for (const part of parts) assertReadable(this.name, key, part);
        this.#used.add(key);
        const value = this.#joined(key, parts);
        const scale = "parts" in stored ? stored.scale : void 0;
        const layer3 = key.slice(0, key.lastIndexOf(".") + 1);
        return scale ? mul(value, this.#joined(`${layer3}scale_weight`, scale)) : value;
      }
      /** Parts that lie below each other, as float32. */
      #joined(name, parts) {
        const values = parts.map(
          (part, index) => toFloat32(this.#external(parts.length === 1 ? name : `${name}[${index}]`, part))
        );
        return values.length === 1 ? values[0] : concat(values, 0);
      }
      #external(name, { file, dtype, shape, byteOffset, byteLength }) {
        const location = path5.relative(this.baseFolder, file).split(path5.sep).join("/");
        return externalTensor(name, dtype, shape, { location, byteOffset, byteLength });
      }
      /** Marks a key as known but not needed, such as the second name of a shared table. */
      ignore(key) {
        this.#used.add(key);
      }
      /**
       * The keys that no network requested, and that do not follow from the configuration. Like the reference, networks do
       * without them: a file may hold another network beside its own.
       * @throws RetouchError CHECKPOINT_UNSUPPORTED for keys that say how to undo a quantisation of the weights
       */
      unusedKeys() {
        const unused = [...this.#tensors.keys()].filter((key) => !this.#used.has(key) && !isDerived(key));
        const scale = unused.find((key) => QUANTISATION_KEYS.test(key));
        if (scale === void 0) return unused;
        throw new RetouchError(
          "CHECKPOINT_UNSUPPORTED",
          `${this.name}: ${scale} says that the weights are quantised in a way that is not read from a folder; take the weights in 16 or 32 bits, or a GGUF file.`
        );
      }
    };
    StoredScope = class _StoredScope {
      #set;
      #prefix;
      #adapt;
      /** What this network has asked for. */
      #taken;
      constructor(set, prefix, adapt, taken = /* @__PURE__ */ new Set()) {
        this.#set = set;
        this.#prefix = prefix;
        this.#adapt = adapt;
        this.#taken = taken;
      }
      child(...names) {
        return new _StoredScope(this.#set, this.#key(names.join(".")), this.#adapt, this.#taken);
      }
      adaptedInput(x) {
        return this.#adapt?.input(this.#prefix, x) ?? x;
      }
      adapted(x, y) {
        return this.#adapt?.output(this.#prefix, x, y) ?? y;
      }
      adaptedNorm(weight2) {
        return this.#adapt?.norm(this.#prefix, weight2) ?? weight2;
      }
      matrix(name, shape) {
        return this.#set.takeMatrix(this.#once(name), shape);
      }
      rows(name, shape, indices2) {
        return this.#set.takeRows(this.#once(name), shape, indices2);
      }
      tensor(name, shape) {
        return this.#set.take(this.#once(name), shape);
      }
      has(name) {
        return this.#set.has(this.#key(name));
      }
      hasChild(name) {
        return this.#set.hasBelow(this.#key(name));
      }
      ignore(name) {
        this.#set.ignore(this.#key(name));
      }
      /** The key of a weight, which a network uses in one place. */
      #once(name) {
        const key = this.#key(name);
        if (this.#taken.has(key)) throw new Error(`${this.#set.name}: the weight ${key} is used twice.`);
        this.#taken.add(key);
        return key;
      }
      #key(name) {
        return this.#prefix === "" ? name : `${this.#prefix}.${name}`;
      }
    };
    scalesKeyOf = (key) => `${key}.scales`;
  }
});

// src/lora/use.ts
var MAX_LORAS, MAX_LORA_SCALE;
var init_use = __esm({
  "src/lora/use.ts"() {
    "use strict";
    init_errors();
    MAX_LORAS = 4;
    MAX_LORA_SCALE = 10;
  }
});

// src/engine/edit-parameters.ts
var MAX_STEPS, EDIT_PARAMETERS, WIRE_NAMES, WIRE, FIELD_OF_WIRE;
var init_edit_parameters = __esm({
  "src/engine/edit-parameters.ts"() {
    "use strict";
    init_errors();
    init_use();
    MAX_STEPS = 50;
    EDIT_PARAMETERS = {
      image: {
        type: "image",
        wire: "image",
        aliases: ["images"],
        tool: "image",
        description: "The image to edit."
      },
      prompt: {
        type: "string",
        min: 1,
        max: 4e3,
        wire: "prompt",
        tool: "instruction",
        description: "What to change."
      },
      prompt2: {
        type: "string",
        min: 0,
        max: 4e3,
        default: "",
        wire: "prompt_2",
        flag: "--prompt-2 <text>",
        tool: "instruction_2",
        description: "What T5 reads in place of the prompt, which CLIP alone then reads."
      },
      maxSequenceLength: {
        type: "modelNumber",
        min: 1,
        // The reference's limit.
        max: 512,
        wire: "max_sequence_length",
        flag: "--max-sequence-length <number>",
        tool: "max_sequence_length",
        description: "Tokens that T5 reads of a text; by default what the checkpoint's tokenizer allows."
      },
      negativePrompt: {
        type: "string",
        min: 0,
        max: 4e3,
        default: "",
        wire: "negative_prompt",
        flag: "--negative-prompt <text>",
        tool: "negative_prompt",
        description: "What to steer away from; doubles the time per step."
      },
      isEmptyNegativeUsed: {
        type: "boolean",
        default: false,
        wire: "use_empty_negative_prompt",
        flag: "--use-empty-negative-prompt",
        tool: "use_empty_negative_prompt",
        description: "Whether an empty negative prompt counts: steers away from what no text gives."
      },
      trueCfgScale: {
        type: "number",
        min: 1,
        max: 10,
        default: 2,
        wire: "true_cfg_scale",
        flag: "--true-cfg-scale <number>",
        tool: "true_cfg_scale",
        description: "Strength of the negative prompt."
      },
      size: {
        type: "size",
        min: 16,
        max: 4096,
        wireDefault: { width: 1024, height: 1024 },
        wire: "size",
        flag: "--size <WxH>",
        tool: "size",
        description: "Size of the result."
      },
      numSteps: {
        type: "integer",
        min: 1,
        max: MAX_STEPS,
        default: 28,
        wire: "num_inference_steps",
        flag: "--steps <number>",
        tool: "steps",
        description: "Steps of the sampler; more take longer."
      },
      sigmas: {
        type: "numbers",
        min: 0,
        max: 1,
        maxItems: MAX_STEPS,
        wire: "sigmas",
        flag: "--sigmas <list>",
        tool: "sigmas",
        description: "Noise level before each step, in place of a number of steps; the checkpoint's scheduler shifts them."
      },
      guidance: {
        type: "number",
        min: 0,
        max: 10,
        default: 2,
        wire: "guidance",
        aliases: ["guidance_scale"],
        flag: "--guidance <number>",
        tool: "guidance",
        description: "How closely the prompt is followed."
      },
      seed: {
        type: "integer",
        min: -1,
        max: Number.MAX_SAFE_INTEGER,
        default: -1,
        wire: "seed",
        flag: "--seed <number>",
        tool: "seed",
        description: "Repeats an edit; -1 chooses one at random."
      },
      format: {
        type: "choice",
        choices: ["png", "jpeg"],
        default: "png",
        wire: "output_format",
        aliases: ["image_format"],
        flag: "--format <format>",
        tool: "format",
        description: "Format of the result."
      },
      isSafetyChecked: {
        type: "boolean",
        default: true,
        wire: "enable_safety_checker",
        flag: "--no-safety-checker",
        description: "Whether the result is checked for pornography."
      },
      isUnchangedKept: {
        type: "boolean",
        // The command and the tool default to true.
        default: false,
        wire: "keep_unchanged",
        flag: "--keep-unchanged",
        tool: "keep_unchanged",
        description: "Whether the image's own pixels stay where nothing was edited."
      },
      loras: {
        type: "loras",
        max: MAX_LORAS,
        scale: { min: -MAX_LORA_SCALE, max: MAX_LORA_SCALE, default: 1 },
        wire: "loras",
        flag: "--lora <file[:scale]>",
        tool: "loras",
        description: "LoRAs on top of the checkpoint, all of them together."
      }
    };
    WIRE_NAMES = Object.fromEntries(
      Object.entries(EDIT_PARAMETERS).map(([field, { wire }]) => [field, wire])
    );
    WIRE = {
      ...LIBRARY,
      names: { ...WIRE_NAMES, "size.width": "width", "size.height": "height" },
      // The image is always one of the request's fields.
      image: (source) => source === void 0 ? "image" : `image: ${source}`
    };
    FIELD_OF_WIRE = new Map(
      Object.entries(WIRE.names).map(([field, name]) => [name, field])
    );
  }
});

// src/engine/request.ts
var USUAL_DEFAULTS, MAX_RANDOM_SEED, isNegativeUsed;
var init_request = __esm({
  "src/engine/request.ts"() {
    "use strict";
    init_errors();
    init_use();
    init_edit_parameters();
    USUAL_DEFAULTS = {
      numSteps: EDIT_PARAMETERS.numSteps.default,
      guidance: EDIT_PARAMETERS.guidance.default
    };
    MAX_RANDOM_SEED = 2 ** 32;
    isNegativeUsed = ({
      negativePrompt,
      isEmptyNegativeUsed = false,
      trueCfgScale
    }, hasNegativeEmbeds = false) => (negativePrompt.trim() !== "" || isEmptyNegativeUsed || hasNegativeEmbeds) && trueCfgScale > 1;
  }
});

// src/machine/cache-folder.ts
import { homedir } from "node:os";
import path7 from "node:path";
function userCacheFolder({ home = homedir(), platform = process.platform } = {}) {
  if (platform === "win32") return path7.join(home, "AppData", "Local", "retouch", "cache");
  if (platform === "darwin") return path7.join(home, "Library", "Caches", "retouch");
  return path7.join(home, ".cache", "retouch");
}
var init_cache_folder = __esm({
  "src/machine/cache-folder.ts"() {
    "use strict";
  }
});

// src/models/adapters.ts
var AdapterInputs, ONE, ZERO, UNCHANGED;
var init_adapters = __esm({
  "src/models/adapters.ts"() {
    "use strict";
    init_graph();
    init_ops();
    AdapterInputs = class {
      layers = /* @__PURE__ */ new Map();
      norms = /* @__PURE__ */ new Set();
      #nameOf;
      /** @param nameOf what adapters call the layer with this key of the weights */
      constructor(nameOf3 = (key) => key) {
        this.#nameOf = nameOf3;
      }
      input(key, x) {
        const name = this.#nameOf(key);
        const columns = input(`${name}.lora_columns`, "float32", [`${name}.columns`]);
        return scaledLast(x, cast(columns, typeOf(x)));
      }
      output(key, x, y) {
        const name = this.#nameOf(key);
        const [rows2, columns] = [y.shape[1], x.shape[1]];
        this.layers.set(name, { rows: rows2, columns });
        const rank = `${name}.rank`;
        const typed = (suffix, shape) => cast(input(`${name}.${suffix}`, "float32", shape), typeOf(x));
        const low = add(gemm(x, typed("lora_A", [rank, columns])), typed("lora_constant", [1, rank]));
        const scaled3 = scaledLast(y, typed("lora_rows", [`${name}.rows`]));
        return gemm(low, typed("lora_B", [rows2, rank]), scaled3);
      }
      norm(key, weight2) {
        const name = this.#nameOf(key);
        this.norms.add(name);
        const kept = mul(weight2, input(`${name}.lora_kept`, "float32", [1]));
        const given = input(`${name}.lora_given`, "float32", [`${name}.given`]);
        return shiftedLast(kept, given);
      }
      /** The inputs of a run in addition to the graph's own. */
      inputsOf(adapters) {
        const inputs = {};
        const put = (name, data, shape = [data.length]) => {
          inputs[name] = { data, shape };
        };
        for (const [name, { rows: rows2, columns }] of this.layers) {
          const { rank, down, up, constant: constant2, rowScale, columnScale } = adapters.get(name) ?? UNCHANGED;
          put(`${name}.lora_A`, down, [rank, columns]);
          put(`${name}.lora_B`, up, [rows2, rank]);
          put(`${name}.lora_constant`, constant2 ?? new Float32Array(rank), [1, rank]);
          put(`${name}.lora_rows`, rowScale ?? ONE);
          put(`${name}.lora_columns`, columnScale ?? ONE);
        }
        for (const name of this.norms) {
          const weight2 = adapters.get(name)?.weight;
          put(`${name}.lora_kept`, weight2 ? ZERO : ONE);
          put(`${name}.lora_given`, weight2 ?? ZERO);
        }
        return inputs;
      }
    };
    ONE = Float32Array.of(1);
    ZERO = Float32Array.of(0);
    UNCHANGED = { rank: 0, down: new Float32Array(), up: new Float32Array() };
  }
});

// src/files/lock.ts
import { mkdir, rename, rm, stat as stat3, utimes, writeFile } from "node:fs/promises";
import path8 from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
async function withLock(lock, { signal, aborted, onWait }, work) {
  await mkdir(path8.dirname(lock), { recursive: true });
  for (let tries = 0; !await take(lock); tries += 1) {
    if (await clearStale(lock)) continue;
    if (tries * POLL_MS === 2 * STALE_MS) onWait?.();
    await sleep(POLL_MS, void 0, signal && { signal }).catch(() => {
      throw aborted();
    });
  }
  const beat = setInterval(() => {
    const now = /* @__PURE__ */ new Date();
    utimes(lock, now, now).catch(() => {
    });
  }, BEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    await rm(lock, { force: true });
  }
}
async function take(lock) {
  try {
    await writeFile(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}
async function clearStale(lock) {
  if (!await isStale(lock)) return false;
  const aside = `${lock}.${process.pid}`;
  try {
    await rename(lock, aside);
  } catch {
    return true;
  }
  if (await isStale(aside)) await rm(aside, { force: true });
  else await rename(aside, lock);
  return true;
}
async function isStale(lock) {
  const found = await stat3(lock).catch(() => void 0);
  return found !== void 0 && Date.now() - found.mtimeMs > STALE_MS;
}
var BEAT_MS, STALE_MS, POLL_MS;
var init_lock = __esm({
  "src/files/lock.ts"() {
    "use strict";
    BEAT_MS = 1e3;
    STALE_MS = 5 * BEAT_MS;
    POLL_MS = 500;
  }
});

// src/weights/converted.ts
async function readConverted(name, file, options = {}) {
  const { tensors, metadata } = await readSafetensors(file);
  const version = metadata.get("retouch_weights");
  if (version !== CONVERTED_VERSION) {
    const what = version === void 0 ? "was not written by retouch quantize" : `is of the version ${version}`;
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `The weights file ${file} ${what}; version ${CONVERTED_VERSION} can be read.`
    );
  }
  const kind = CONVERTED_KINDS.find((known) => known === metadata.get("kind"));
  const source = metadata.get("source");
  if (kind === void 0 || source === void 0) {
    throw damaged2(file, "its metadata has no kind or no source");
  }
  const weights = new Map(tensors);
  for (const [key, entry2] of matrixEntries(file, metadata.get("matrices"))) {
    weights.set(key, quantizedTensor(file, key, entry2, tensors));
    weights.delete(scalesKeyOf(key));
  }
  const errors = errorEntries(file, metadata.get("errors"));
  return { kind, source, errors, weights: new WeightSet(name, weights, options) };
}
function errorEntries(file, json) {
  return listEntries(file, "errors", json).map(([key, relativeError]) => {
    if (!isRelativeError(relativeError)) throw damaged2(file, `the error of ${key} is malformed`);
    return { key, relativeError };
  });
}
function matrixEntries(file, json) {
  return listEntries(file, "matrices", json).map(([key, entry2]) => {
    if (!isMatrixEntry(entry2)) throw damaged2(file, `the format of ${key} is malformed`);
    return [key, entry2];
  });
}
function listEntries(file, name, json) {
  let entries;
  try {
    entries = JSON.parse(json ?? "");
  } catch (cause) {
    throw damaged2(file, `its list of ${name} is no JSON`, cause);
  }
  if (typeof entries !== "object" || entries === null) {
    throw damaged2(file, `its list of ${name} is no object`);
  }
  return Object.entries(entries);
}
function isMatrixEntry(value) {
  const { bits: bits2, blockSize, columns } = value ?? {};
  return (bits2 === 4 || bits2 === 8) && (blockSize === 32 || blockSize === 128) && Number.isSafeInteger(columns) && columns > 0;
}
function quantizedTensor(file, key, { bits: bits2, blockSize, columns }, tensors) {
  const format = { bits: bits2, blockSize };
  const [blocks, scales] = [tensors.get(key), tensors.get(scalesKeyOf(key))];
  const rows2 = blocks?.shape[0] ?? 0;
  const count = blocksPerRow(columns, format);
  const isFitting2 = blocks?.dtype === "uint8" && scales?.dtype === "float32" && showShape(blocks.shape) === showShape([rows2, count, bytesPerBlock(format)]) && showShape(scales.shape) === showShape([rows2, count]);
  if (!isFitting2) {
    throw damaged2(file, `blocks and scales of ${key} do not fit ${bits2} bits of ${columns} columns`);
  }
  return { ...format, shape: [rows2, columns], blocks, scales };
}
function damaged2(file, detail, cause) {
  return new RetouchError("CHECKPOINT_INVALID", `The weights file ${file} is damaged: ${detail}.`, { cause });
}
var CONVERTED_VERSION, WEIGHT_KINDS, CONVERTED_KINDS, isRelativeError;
var init_converted = __esm({
  "src/weights/converted.ts"() {
    "use strict";
    init_errors();
    init_graph();
    init_quantized();
    init_safetensors();
    init_weight_set();
    CONVERTED_VERSION = "1";
    WEIGHT_KINDS = ["fp16", "bf16", "int8", "int4"];
    CONVERTED_KINDS = ["fp32", ...WEIGHT_KINDS];
    isRelativeError = (value) => typeof value === "number" && value >= 0;
  }
});

// src/files/ranges.ts
async function readRange(handle, bytes2, position) {
  for (let done = 0; done < bytes2.length; ) {
    const { bytesRead } = await handle.read(bytes2, done, bytes2.length - done, position + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}
async function writeRange(handle, bytes2, position) {
  for (let done = 0; done < bytes2.length; ) {
    const { bytesWritten } = await handle.write(bytes2, done, bytes2.length - done, position + done);
    done += bytesWritten;
  }
}
var init_ranges = __esm({
  "src/files/ranges.ts"() {
    "use strict";
  }
});

// src/quantize/formats.ts
function formatOf(key, shape, kind, blocks) {
  if (kind === "fp32" || shape.length < 2) return "float32";
  if (kind === "fp16") return "float16";
  if (kind === "bf16") return "bfloat16";
  if (TABLE.test(key)) return "float16";
  if (shape.length > 2 || EDGE.test(key) || shape[1] < BLOCK_SIZE) return "float32";
  const bits2 = kind === "int4" && !MODULATION.test(key) ? 4 : 8;
  return { bits: bits2, blockSize: blocks?.bits === bits2 ? blocks.blockSize : BLOCK_SIZE };
}
var TABLE, EDGE, MODULATION, BLOCK_SIZE;
var init_formats = __esm({
  "src/quantize/formats.ts"() {
    "use strict";
    TABLE = /(?:^|\.)(?:shared|embed_tokens|relative_attention_bias)\.weight$/;
    EDGE = /^(?:x_embedder|context_embedder|time_text_embed|time_guidance_embed|proj_out)\./;
    MODULATION = /(?:^|\.)(?:norm\w*|double_stream_modulation_(?:img|txt)|single_stream_modulation)\.linear\.weight$/;
    BLOCK_SIZE = 128;
  }
});

// src/quantize/layout.ts
function planned(weight2, kind) {
  const { key, shape, blocks } = weight2;
  const format = formatOf(key, shape, kind, blocks);
  const rowCount2 = shape[0] ?? 1;
  const rowSize = shape.slice(1).reduce((product2, dim) => product2 * dim, 1);
  if (typeof format === "string") {
    const place2 = { dtype: format, shape, byteOffset: 0 };
    return { weight: weight2, rowCount: rowCount2, rowSize, format, place: place2, scales: void 0 };
  }
  const count = blocksPerRow(rowSize, format);
  const place = { dtype: "uint8", shape: [rowCount2, count, bytesPerBlock(format)], byteOffset: 0 };
  const scales = { dtype: "float32", shape: [rowCount2, count], byteOffset: 0 };
  return { weight: weight2, rowCount: rowCount2, rowSize, format, place, scales };
}
function placeAll(weights) {
  let offset = 0;
  const places = weights.flatMap(placesOf2).map(([, found]) => found);
  for (const found of places.toSorted((a, b) => byteSizeOf(b.dtype) - byteSizeOf(a.dtype))) {
    found.byteOffset = offset;
    offset += bytesOf3(found);
  }
  return offset;
}
var ALIGNMENT, ERROR_DIGITS, LONGEST_ERROR, FileLayout, isRounded, bytesOf3, placesOf2;
var init_layout = __esm({
  "src/quantize/layout.ts"() {
    "use strict";
    init_dtype();
    init_converted();
    init_quantized();
    init_weight_set();
    init_formats();
    ALIGNMENT = 64;
    ERROR_DIGITS = 4;
    LONGEST_ERROR = 1234e-9;
    FileLayout = class {
      weights;
      headerLength;
      /** Size of the whole file. */
      byteLength;
      #kind;
      #hash;
      /** @param hash hash of the content that the weights were converted from */
      constructor(weights, kind, hash) {
        this.weights = [...weights].map((weight2) => planned(weight2, kind));
        this.#kind = kind;
        this.#hash = hash;
        const dataLength = placeAll(this.weights);
        const errors = this.weights.filter(isRounded).map(({ weight: { key } }) => ({ key, relativeError: LONGEST_ERROR }));
        this.headerLength = Math.ceil((8 + Buffer.byteLength(this.#headerText(errors))) / ALIGNMENT) * ALIGNMENT;
        this.byteLength = this.headerLength + dataLength;
      }
      /** The length and the JSON, padded with spaces. */
      header(errors) {
        const text3 = this.#headerText(errors);
        if (8 + Buffer.byteLength(text3) > this.headerLength)
          throw new Error("The header is longer than its room.");
        const header = Buffer.alloc(this.headerLength, " ");
        header.writeBigUInt64LE(BigInt(this.headerLength - 8));
        header.write(text3, 8);
        return header;
      }
      #headerText(errors) {
        const matrices = {};
        for (const { weight: weight2, format, rowSize } of this.weights) {
          if (typeof format !== "string") matrices[weight2.key] = { ...format, columns: rowSize };
        }
        const rounded = errors.map(({ key, relativeError }) => [
          key,
          Number(relativeError.toPrecision(ERROR_DIGITS))
        ]);
        const metadata = {
          retouch_weights: CONVERTED_VERSION,
          kind: this.#kind,
          source: this.#hash,
          matrices: JSON.stringify(matrices),
          errors: JSON.stringify(Object.fromEntries(rounded))
        };
        const entries = this.weights.flatMap(placesOf2).map(([key, found]) => {
          const { dtype, shape, byteOffset } = found;
          const data_offsets = [byteOffset, byteOffset + bytesOf3(found)];
          return [key, { dtype: safetensorsNameOf(dtype), shape, data_offsets }];
        });
        return JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
      }
    };
    isRounded = ({ format }) => format !== "float32";
    bytesOf3 = ({ dtype, shape }) => shape.reduce((product2, dim) => product2 * dim, byteSizeOf(dtype));
    placesOf2 = ({ weight: weight2, place, scales }) => [
      [weight2.key, place],
      ...scales ? [[scalesKeyOf(weight2.key), scales]] : []
    ];
  }
});

// src/quantize/blocks.ts
function newBlocks(rowCount2, columns, format) {
  const count = rowCount2 * blocksPerRow(columns, format);
  return { blocks: new Uint8Array(count * bytesPerBlock(format)), scales: new Float32Array(count) };
}
function quantizeRows(values, columns, format, to = newBlocks(values.length / columns, columns, format)) {
  const { bits: bits2, blockSize } = format;
  const { blocks, scales } = to;
  const integers = new Int8Array(blockSize);
  let [squaredError, squares, block] = [0, 0, 0];
  for (let rowEnd = columns; rowEnd <= values.length; rowEnd += columns) {
    for (let start = rowEnd - columns; start < rowEnd; start += blockSize) {
      const end = Math.min(start + blockSize, rowEnd);
      if (end - start < blockSize) integers.fill(0, end - start);
      const scale = bits2 === 8 ? byLargest(values, start, end, integers) : byLeastError(values, start, end, integers);
      if (bits2 === 8) packBytes(integers, blocks, block * blockSize);
      else packHalves(integers, blocks, block * blockSize / 2);
      scales[block] = scale;
      block += 1;
      for (let at = start; at < end; at += 1) {
        const value = values[at];
        const error = value - Math.fround(integers[at - start] * scale);
        squaredError += error * error;
        squares += value * value;
      }
    }
  }
  return { blocks, scales, squaredError, squares };
}
function packBytes(integers, bytes2, start) {
  for (let index = 0; index < integers.length; index += 1) bytes2[start + index] = integers[index] + 128;
}
function packHalves(integers, bytes2, start) {
  for (let index = 0; index < integers.length; index += 2) {
    bytes2[start + (index >> 1)] = integers[index] + 8 | integers[index + 1] + 8 << 4;
  }
}
function largestOf(values, start, end) {
  let largest = 0;
  for (let at = start; at < end; at += 1) {
    if (Math.abs(values[at]) > Math.abs(largest)) largest = values[at];
  }
  return largest;
}
function byLargest(values, start, end, integers) {
  const scale = Math.fround(Math.abs(largestOf(values, start, end)) / 127);
  if (scale === 0) {
    integers.fill(0);
    return 0;
  }
  for (let at = start; at < end; at += 1) {
    const integer = Math.floor(2 * values[at] / scale) + 1 >> 1;
    integers[at - start] = integer > 127 ? 127 : integer < -127 ? -127 : integer;
  }
  return scale;
}
function byLeastError(values, start, end, integers) {
  const largest = largestOf(values, start, end);
  if (largest === 0) {
    integers.fill(0);
    return 0;
  }
  let [best, bestGain, bestScale] = [0, -1, 0];
  const consider2 = (factor, products, squares) => {
    const gain = products ** 2 / squares;
    if (gain > bestGain) [best, bestGain, bestScale] = [factor, gain, Math.fround(products / squares)];
  };
  for (let first = 0; first < CANDIDATES.length; first += 3) {
    const a = 2 * CANDIDATES[first] / largest;
    const b = 2 * CANDIDATES[first + 1] / largest;
    const c = 2 * CANDIDATES[first + 2] / largest;
    let [productsA, productsB, productsC] = [0, 0, 0];
    let [squaresA, squaresB, squaresC] = [0, 0, 0];
    for (let at = start; at < end; at += 1) {
      const value = values[at];
      const qA = fourBits(value * a);
      const qB = fourBits(value * b);
      const qC = fourBits(value * c);
      productsA += qA * value;
      productsB += qB * value;
      productsC += qC * value;
      squaresA += qA * qA;
      squaresB += qB * qB;
      squaresC += qC * qC;
    }
    consider2(a, productsA, squaresA);
    consider2(b, productsB, squaresB);
    consider2(c, productsC, squaresC);
  }
  for (let at = start; at < end; at += 1) {
    integers[at - start] = fourBits(values[at] * best);
  }
  return bestScale;
}
var CANDIDATES, ZERO_HALVES, FOUR_BITS, fourBits;
var init_blocks = __esm({
  "src/quantize/blocks.ts"() {
    "use strict";
    init_quantized();
    CANDIDATES = [-8, -9, -8.5, -7.5, -7, -6.5, -6, -5.5, -5];
    ZERO_HALVES = 20;
    FOUR_BITS = Float64Array.from(
      { length: 2 * ZERO_HALVES },
      (_, index) => Math.max(-8, Math.min(7, index - ZERO_HALVES + 1 >> 1))
    );
    fourBits = (halves2) => FOUR_BITS[(Math.floor(halves2) | 0) + ZERO_HALVES];
  }
});

// src/quantize/half.ts
function toFloat16(value) {
  number[0] = value;
  const sign = bits[0] >>> 16 & 32768;
  const magnitude = bits[0] & 2147483647;
  if (magnitude > 2139095040) return sign | 32256;
  if (magnitude >= 1199566848) return sign | 31744;
  if (magnitude < 947912704) {
    bits[0] = magnitude;
    number[0] = number[0] + 0.5;
    return sign | bits[0] - 1056964608;
  }
  return sign | roundedShift(magnitude - 939524096, 13);
}
function toBfloat16(value) {
  number[0] = value;
  const magnitude = bits[0] & 2147483647;
  const sign = bits[0] >>> 16 & 32768;
  return magnitude > 2139095040 ? sign | 32704 : sign | roundedShift(magnitude, 16);
}
function roundedShift(value, count) {
  const isOdd = value >>> count & 1;
  return value + (1 << count - 1) - 1 + isOdd >>> count;
}
var bits, number;
var init_half = __esm({
  "src/quantize/half.ts"() {
    "use strict";
    bits = new Uint32Array(1);
    number = new Float32Array(bits.buffer);
  }
});

// src/quantize/convert.ts
function convertPart({ values, rowSize, format, stored, scales }) {
  if (typeof format === "string") return narrow(values, format, stored);
  const { squaredError, squares } = quantizeRows(values, rowSize, format, { blocks: stored, scales });
  return { squaredError, squares };
}
function narrow(values, format, stored) {
  const halves2 = new Uint16Array(stored.buffer, stored.byteOffset, values.length);
  const [toBits, fromBits] = format === "float16" ? [toFloat16, float16FromBits] : [toBfloat16, bfloat16FromBits];
  let [squaredError, squares] = [0, 0];
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    const bits2 = toBits(value);
    halves2[index] = bits2;
    const error = value - fromBits(bits2);
    squaredError += error * error;
    squares += value * value;
  }
  if (squaredError !== Infinity) return { squaredError, squares };
  return {
    squaredError,
    squares,
    lost: values.find((value, index) => isLost(value, fromBits(halves2[index])))
  };
}
var isLost;
var init_convert = __esm({
  "src/quantize/convert.ts"() {
    "use strict";
    init_float_bits();
    init_blocks();
    init_half();
    isLost = (value, stored) => Number.isFinite(value) && !Number.isFinite(stored);
  }
});

// src/quantize/threads.ts
import { Worker } from "node:worker_threads";
var ConvertThread;
var init_threads = __esm({
  "src/quantize/threads.ts"() {
    "use strict";
    ConvertThread = class {
      #worker;
      /** In the order of the parts that the thread was given. */
      #waiting = [];
      #failure;
      /** @param entry the thread's compiled file */
      constructor(entry2 = new URL("./convert-thread.js", import.meta.url)) {
        this.#worker = new Worker(entry2);
        this.#worker.on("message", (converted) => this.#waiting.shift().resolve(converted));
        this.#worker.on("error", (error) => this.#fail(error));
        this.#worker.on("exit", () => this.#fail(new Error("A thread that rounds weights has ended.")));
      }
      /** Rejects with the error that ended the thread. */
      convert(part) {
        return new Promise((resolve, reject) => {
          if (this.#failure) return reject(this.#failure);
          this.#waiting.push({ resolve, reject });
          this.#worker.postMessage(part);
        });
      }
      async end() {
        await this.#worker.terminate();
      }
      #fail(error) {
        this.#failure ??= error;
        for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
      }
    };
  }
});

// src/quantize/write-weights.ts
import { availableParallelism } from "node:os";
async function writeWeights(name, layout, handle, { threads = availableParallelism(), threadEntry, onProgress, signal }) {
  const { weights, headerLength } = layout;
  const of = weights.reduce((sum, weight2) => sum + numbersOf(weight2), 0);
  let done = 0;
  const sums = new Map(weights.filter(isRounded).map((planned2) => [planned2, []]));
  const write = (data, place, { planned: planned2, from }) => {
    const bytes2 = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return writeRange(handle, bytes2, headerLength + place.byteOffset + rowBytes(place, planned2) * from);
  };
  const writeRows = async (rows2, convert, room) => {
    const { planned: planned2, from, to } = rows2;
    const { weight: weight2, place, scales } = planned2;
    const ready = readyBlocks(planned2);
    if (ready) {
      const blocks = await ready.read(from, to);
      await write(blocks.blocks, place, rows2);
      return write(blocks.scales, scales, rows2);
    }
    const values = await weight2.rows(from, to);
    if (!isRounded(planned2)) return write(values, place, rows2);
    const part = partIn(room, rows2, values);
    const converted = await convert(part);
    assertHeld(name, planned2, converted);
    sums.get(planned2)[from / rowsAtOnce(planned2)] = converted;
    await write(part.stored, place, rows2);
    if (scales) await write(part.scales, scales, rows2);
  };
  const parts = partsOf2(weights);
  const run2 = async (convert) => {
    const room = newRoom(weights);
    for (const rows2 of parts) {
      throwIfAborted(signal);
      await writeRows(rows2, convert, room);
      throwIfAborted(signal);
      done += (rows2.to - rows2.from) * rows2.planned.rowSize;
      onProgress?.({ done, of });
    }
  };
  await withConverters(weights, threads, threadEntry, async (converters) => {
    const runs = await Promise.allSettled(converters.map(run2));
    const failed = runs.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  });
  return [...sums].map(([{ weight: weight2, format }, found]) => ({
    key: weight2.key,
    format,
    relativeError: relativeErrorOf(found)
  }));
}
async function withConverters(weights, threadCount, threadEntry, use) {
  const numbers = weights.filter(isConverted).reduce((sum, weight2) => sum + numbersOf(weight2), 0);
  if (threadCount === 1 || numbers < MIN_FOR_THREADS) return use([convertPart]);
  const threads = Array.from({ length: threadCount }, () => new ConvertThread(threadEntry));
  try {
    await use(
      threads.flatMap(
        (thread) => Array.from({ length: PARTS_PER_THREAD }, () => (part) => thread.convert(part))
      )
    );
  } finally {
    await Promise.all(threads.map((thread) => thread.end()));
  }
}
function* partsOf2(weights) {
  for (const planned2 of weights) {
    const step = rowsAtOnce(planned2);
    for (let from = 0; from < planned2.rowCount; from += step) {
      yield { planned: planned2, from, to: Math.min(from + step, planned2.rowCount) };
    }
  }
}
function readyBlocks({ weight: { blocks }, format }) {
  if (typeof format === "string") return void 0;
  return blocks?.bits === format.bits && blocks.blockSize === format.blockSize ? blocks : void 0;
}
function newRoom(weights) {
  const most = (sizeOf2) => weights.filter(isConverted).reduce(
    (found, planned2) => Math.max(found, sizeOf2(planned2) * Math.min(planned2.rowCount, rowsAtOnce(planned2))),
    0
  );
  return {
    values: new Float32Array(new SharedArrayBuffer(4 * most(({ rowSize }) => rowSize))),
    stored: new Uint8Array(new SharedArrayBuffer(most((planned2) => rowBytes(planned2.place, planned2)))),
    scales: new Float32Array(
      new SharedArrayBuffer(most((planned2) => planned2.scales ? rowBytes(planned2.scales, planned2) : 0))
    )
  };
}
function partIn(room, { planned: planned2, from, to }, values) {
  const { rowSize, format, place, scales } = planned2;
  room.values.set(values);
  return {
    values: room.values.subarray(0, values.length),
    rowSize,
    format,
    stored: room.stored.subarray(0, rowBytes(place, planned2) * (to - from)),
    scales: room.scales.subarray(0, scales ? rowBytes(scales, planned2) / 4 * (to - from) : 0)
  };
}
function assertHeld(name, { weight: { key }, format }, converted) {
  const { lost, squaredError } = converted;
  if (lost !== void 0) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `${name}: the weight ${key} holds ${lost}, which is too large for ${String(format)}.`
    );
  }
  if (Number.isFinite(squaredError)) return;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `${name}: the weight ${key} holds numbers that are not finite.`
  );
}
function relativeErrorOf(parts) {
  let [error, total2] = [0, 0];
  for (const { squaredError, squares } of parts) {
    error += squaredError;
    total2 += squares;
  }
  return total2 === 0 ? 0 : Math.sqrt(error / total2);
}
function throwIfAborted(signal) {
  if (signal?.aborted) throw conversionAborted();
}
var PART_SIZE, PARTS_PER_THREAD, MIN_FOR_THREADS, numbersOf, rowsAtOnce, rowBytes, isConverted, conversionAborted;
var init_write_weights = __esm({
  "src/quantize/write-weights.ts"() {
    "use strict";
    init_errors();
    init_ranges();
    init_convert();
    init_layout();
    init_threads();
    PART_SIZE = 1 << 18;
    PARTS_PER_THREAD = 2;
    MIN_FOR_THREADS = 4e6;
    numbersOf = ({ rowCount: rowCount2, rowSize }) => rowCount2 * rowSize;
    rowsAtOnce = ({ rowSize }) => Math.max(1, Math.floor(PART_SIZE / rowSize));
    rowBytes = (place, { rowCount: rowCount2 }) => rowCount2 === 0 ? 0 : bytesOf3(place) / rowCount2;
    isConverted = (planned2) => isRounded(planned2) && !readyBlocks(planned2);
    conversionAborted = () => new RetouchError("ABORTED", "The conversion of the weights was interrupted.");
  }
});

// src/quantize/quantize.ts
import { randomUUID } from "node:crypto";
import { mkdir as mkdir2, open as open4, readdir as readdir2, rename as rename2, rm as rm2, stat as stat4, statfs } from "node:fs/promises";
import path9 from "node:path";
async function quantize(source, kind, file, options) {
  const { hash, freeBytes = freeBytesOf } = options;
  const layout = new FileLayout(source.weights(), kind, hash);
  const { byteLength } = layout;
  const partial = `${file}.${randomUUID()}.partial`;
  try {
    await mkdir2(path9.dirname(file), { recursive: true });
    await removeLeftovers(file);
    const free = await freeBytes(path9.dirname(file));
    if (free < byteLength) {
      throw new RetouchError(
        "OUTPUT_UNWRITABLE",
        `The weights file ${file} needs ${megabytes(byteLength)}, and ${megabytes(free)} are free there.`
      );
    }
    const handle = await open4(partial, "wx");
    try {
      const errors = await writeWeights(source.name, layout, handle, options);
      await writeRange(handle, layout.header(errors), 0);
      await handle.sync();
      await handle.close();
      await rename2(partial, file);
      return { byteLength, errors };
    } finally {
      await handle.close();
      await rm2(partial, { force: true });
    }
  } catch (error) {
    if (error instanceof RetouchError) throw error;
    if (!(error instanceof Error && "syscall" in error)) throw error;
    throw new RetouchError(
      "OUTPUT_UNWRITABLE",
      `The weights file ${file} cannot be written: ${messageOf(error)}.`,
      { cause: error }
    );
  }
}
async function removeLeftovers(file) {
  const folder2 = path9.dirname(file);
  const names = (await readdir2(folder2)).filter((name) => name.startsWith(`${path9.basename(file)}.`));
  for (const leftover of names.filter((name) => PARTIAL.test(name)).map((name) => path9.join(folder2, name))) {
    const written = await stat4(leftover).catch(() => void 0);
    if (written && Date.now() - written.mtimeMs > STALE_MS2) await rm2(leftover, { force: true });
  }
}
async function freeBytesOf(folder2) {
  const { bavail, bsize } = await statfs(folder2);
  return bavail * bsize;
}
var PARTIAL, STALE_MS2, megabytes;
var init_quantize = __esm({
  "src/quantize/quantize.ts"() {
    "use strict";
    init_errors();
    init_ranges();
    init_layout();
    init_write_weights();
    PARTIAL = /\.[0-9a-f-]{36}\.partial$/;
    STALE_MS2 = 6e4;
    megabytes = (bytes2) => `${Math.ceil(bytes2 / 1e6)} MB`;
  }
});

// src/files/system-error.ts
function systemErrorCode(error) {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : void 0;
}
var init_system_error = __esm({
  "src/files/system-error.ts"() {
    "use strict";
  }
});

// src/files/write-atomically.ts
import { randomBytes } from "node:crypto";
import { mkdir as mkdir3, open as open5, realpath as realpath3, rename as rename3, rm as rm3, stat as stat5, writeFile as writeFile2 } from "node:fs/promises";
import path10 from "node:path";
async function writeFileAtomically(target, bytes2) {
  try {
    const { file, isSpecial, mode } = await locate(target);
    if (isSpecial) return await writeFile2(file, bytes2);
    await replaceFile(file, bytes2, mode);
  } catch (error) {
    throw unwritable(target, error);
  }
}
async function locate(target) {
  if (target === "" || /[/\\]$/.test(target)) throw errorWithCode("EISDIR");
  const existing = await stat5(target).catch(ifMissing);
  if (existing === void 0) {
    await mkdir3(path10.dirname(target), { recursive: true });
    return { file: target, isSpecial: false, mode: void 0 };
  }
  if (existing.isDirectory()) throw errorWithCode("EISDIR");
  if (!existing.isFile()) return { file: target, isSpecial: true, mode: void 0 };
  return { file: await realpath3(target), isSpecial: false, mode: existing.mode & 511 };
}
async function replaceFile(file, bytes2, mode) {
  const temporary = temporaryBeside(file);
  try {
    const handle = await open5(temporary, "wx");
    try {
      if (mode !== void 0) await handle.chmod(mode);
      await handle.writeFile(bytes2);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename3(temporary, file);
  } catch (error) {
    await rm3(temporary, { force: true }).catch(() => {
    });
    throw error;
  }
}
function temporaryBeside(file) {
  return path10.join(path10.dirname(file), `.retouch-${randomBytes(6).toString("hex")}.tmp`);
}
function unwritable(target, cause) {
  if (cause instanceof RetouchError) return cause;
  const code = systemErrorCode(cause);
  const reason = code !== void 0 && REASONS[code] || messageOf(cause);
  const file = target === "" ? '""' : target;
  return new RetouchError("OUTPUT_UNWRITABLE", failure("unwritable", { file, reason }), { cause });
}
function ifMissing(error) {
  if (systemErrorCode(error) === "ENOENT") return void 0;
  throw error;
}
function errorWithCode(code) {
  return Object.assign(new Error(code), { code });
}
var REASONS;
var init_write_atomically = __esm({
  "src/files/write-atomically.ts"() {
    "use strict";
    init_errors();
    init_system_error();
    REASONS = {
      EACCES: "permission is denied",
      EPERM: "permission is denied",
      EROFS: "the file system is read-only",
      ENOENT: "files cannot be created there",
      EISDIR: "it is a folder, not a file name",
      ENOTDIR: "a part of its path is a file, not a folder",
      EEXIST: "a part of its path is a file, not a folder",
      ENOSPC: "the disk is full",
      EDQUOT: "the disk quota is used up",
      EFBIG: "the file would be larger than the system allows",
      ENAMETOOLONG: "its name is too long",
      ELOOP: "its symbolic links go round in a circle"
    };
  }
});

// src/quantize/source-hash.ts
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, realpath as realpath4, stat as stat6 } from "node:fs/promises";
import path11 from "node:path";
async function hashOfSource(source, options) {
  const hash = createHash("sha256");
  for (const { key, shape } of source.weights()) hash.update(JSON.stringify([key, shape]));
  const files = await Promise.all(source.files.map(examined));
  const of = files.reduce((sum, { size }) => sum + size, 0);
  let read = 0;
  for (const file of files) {
    hash.update(
      await hashOfFile(file, options, (count) => {
        read += count;
        options.onProgress?.({ done: read, of });
      })
    );
  }
  return hash.digest("hex");
}
async function examined(file) {
  const real = await realpath4(file);
  const { size, mtimeMs, ino: inode } = await stat6(real);
  return { path: real, size, mtimeMs, inode };
}
async function hashOfFile(file, { folder: folder2, signal }, onRead) {
  const named = HUB_BLOB.exec(file.path)?.[1];
  if (named !== void 0) return named;
  const name = createHash("sha256").update(file.path).digest("hex").slice(0, 32);
  const memory = path11.join(folder2, `${name}.json`);
  const remembered = await recall(memory, file);
  if (remembered !== void 0) return remembered;
  const hash = createHash("sha256");
  for await (const bytes2 of createReadStream(file.path, { highWaterMark: READ_BYTES, signal })) {
    hash.update(bytes2);
    onRead(bytes2.length);
  }
  const sha256 = hash.digest("hex");
  await writeFileAtomically(memory, Buffer.from(JSON.stringify({ ...file, sha256 })));
  return sha256;
}
async function recall(memory, file) {
  const text3 = await readFile(memory, "utf8").catch(() => "null");
  let known;
  try {
    known = JSON.parse(text3);
  } catch {
    return void 0;
  }
  const isSame3 = Object.entries(file).every(([name, value]) => known?.[name] === value);
  return isSame3 && typeof known?.["sha256"] === "string" ? known["sha256"] : void 0;
}
var HUB_BLOB, READ_BYTES;
var init_source_hash = __esm({
  "src/quantize/source-hash.ts"() {
    "use strict";
    init_write_atomically();
    HUB_BLOB = /[/\\]blobs[/\\]([0-9a-f]{64})$/;
    READ_BYTES = 1 << 20;
  }
});

// src/quantize/cache.ts
import path12 from "node:path";
async function cachedWeights(name, source, kind, { folder: folder2, threads, onProgress, signal }, options = {}) {
  const tell = (phase) => (progress) => onProgress?.({ network: name, kind, phase, ...progress });
  const hash = await hashOfSource(source, {
    folder: path12.join(folder2, "hashes"),
    onProgress: tell("reading"),
    signal
  }).catch((error) => Promise.reject(sourceFailure(source, error, signal)));
  const file = path12.join(folder2, "weights", `${name}-${kind}-${hash.slice(0, 32)}.safetensors`);
  const read = async () => {
    const found = await readConverted(name, file, options).catch(unlessUnusable);
    return found?.kind === kind && found.source === hash ? found : void 0;
  };
  const known = await read();
  if (known) return { ...known, file, isNew: false };
  return withLock(`${file}.lock`, { signal, aborted: conversionAborted }, async () => {
    const made = await read();
    if (made) return { ...made, file, isNew: false };
    await quantize(source, kind, file, { hash, threads, onProgress: tell("writing"), signal });
    return { ...await readConverted(name, file, options), file, isNew: true };
  });
}
function unlessUnusable(error) {
  const codes = ["CHECKPOINT_MISSING", "CHECKPOINT_INVALID", "CHECKPOINT_UNSUPPORTED"];
  if (error instanceof RetouchError && codes.includes(error.code)) return void 0;
  throw error;
}
function sourceFailure({ name }, error, signal) {
  if (signal?.aborted) return conversionAborted();
  if (error instanceof RetouchError) return error;
  return new RetouchError(
    "CHECKPOINT_INVALID",
    `The weights of ${name} cannot be read: ${messageOf(error)}.`,
    {
      cause: error
    }
  );
}
var init_cache = __esm({
  "src/quantize/cache.ts"() {
    "use strict";
    init_errors();
    init_lock();
    init_converted();
    init_quantize();
    init_source_hash();
    init_write_weights();
  }
});

// src/weights/widened.ts
function widened(dtype, stored) {
  const { buffer, byteOffset, byteLength } = stored;
  switch (dtype) {
    case "float64":
    case "int32":
    case "int16":
    case "int8":
    case "uint32":
    case "uint16":
    case "uint8":
    case "bool":
      return Float32Array.from(new ARRAYS[dtype](Uint8Array.from(stored).buffer));
    case "int64":
    case "uint64":
      return Float32Array.from(new LONG_ARRAYS[dtype](Uint8Array.from(stored).buffer), Number);
    case "float32":
      return new Float32Array(buffer, byteOffset, byteLength / 4);
    case "float16":
      return fromTable(float16s ??= everyFloat16(), new Uint16Array(buffer, byteOffset, byteLength / 2));
    case "bfloat16":
      return upperHalves(new Uint16Array(buffer, byteOffset, byteLength / 2));
    case "float8e4m3fn":
      return fromTable(FLOAT82, stored);
    case "float8e5m2":
      return mapped(stored, Float32Array, (byte) => float16FromBits(byte << 8));
    default:
      throw new Error(`Numbers of the type ${dtype} are not read.`);
  }
}
function fromTable(table, stored) {
  const result = new Float32Array(stored.length);
  for (let index = 0; index < stored.length; index += 1) result[index] = table[stored[index]];
  return result;
}
function upperHalves(stored) {
  const bits2 = new Uint32Array(stored.length);
  for (let index = 0; index < stored.length; index += 1) bits2[index] = stored[index] << 16;
  return new Float32Array(bits2.buffer);
}
function mapped(values, Type, change) {
  const result = new Type(values.length);
  for (let index = 0; index < values.length; index += 1) result[index] = change(values[index]);
  return result;
}
var FLOAT82, ARRAYS, LONG_ARRAYS, float16s, everyFloat16;
var init_widened = __esm({
  "src/weights/widened.ts"() {
    "use strict";
    init_float_bits();
    FLOAT82 = Float32Array.from({ length: 256 }, (_, byte) => {
      const [sign, exponent, fraction] = [byte & 128 ? -1 : 1, byte >> 3 & 15, byte & 7];
      if ((byte & 127) === 127) return NaN;
      return exponent === 0 ? sign * fraction * 2 ** -9 : sign * (8 + fraction) * 2 ** (exponent - 10);
    });
    ARRAYS = {
      float64: Float64Array,
      int32: Int32Array,
      int16: Int16Array,
      int8: Int8Array,
      uint32: Uint32Array,
      uint16: Uint16Array,
      uint8: Uint8Array,
      bool: Uint8Array
    };
    LONG_ARRAYS = { int64: BigInt64Array, uint64: BigUint64Array };
    everyFloat16 = () => Float32Array.from({ length: 2 ** 16 }, (_, bits2) => float16FromBits(bits2));
  }
});

// src/quantize/stored-source.ts
import { open as open6 } from "node:fs/promises";
function storedSource(weights) {
  const stored = [...weights.entries()].map(([key, weight2]) => {
    if ("blocks" in weight2) throw new Error(`${weights.name}: ${key} is in few bits already.`);
    return { key, weight: weight2, parts: "parts" in weight2 ? weight2.parts : [weight2] };
  });
  return {
    name: weights.name,
    files: [...new Set(stored.flatMap(({ parts }) => parts).map(({ file }) => file))],
    byteLength: stored.flatMap(({ parts }) => parts).reduce((sum, part) => sum + part.byteLength, 0),
    *weights() {
      for (const { key, weight: weight2, parts } of stored) {
        for (const part of parts) assertReadable(weights.name, key, part);
        yield sourceWeight(key, weight2, parts);
      }
    }
  };
}
function sourceWeight(key, weight2, parts) {
  const { shape } = weight2;
  const rowSize = shape.slice(1).reduce((product2, dim) => product2 * dim, 1);
  const scale = "parts" in weight2 ? weight2.scale : void 0;
  return {
    key,
    shape,
    async rows(from, to) {
      const values = await readRows(parts, rowSize, from, to);
      if (scale === void 0) return values;
      if (scale[0].shape.length === 0) {
        const [factor] = await readNumbers2(scale[0], 0, 1);
        return values.map((value) => value * factor);
      }
      const factors = await readRows(scale, 1, from, to);
      return values.map((value, index) => value * factors[Math.floor(index / rowSize)]);
    }
  };
}
async function readRows(parts, rowSize, from, to) {
  const values = new Float32Array((to - from) * rowSize);
  let start = 0;
  for (const part of parts) {
    const end = start + (part.shape[0] ?? 1);
    const [first, last] = [Math.max(from, start), Math.min(to, end)];
    if (first < last) {
      values.set(
        await readNumbers2(part, (first - start) * rowSize, (last - start) * rowSize),
        (first - from) * rowSize
      );
    }
    start = end;
  }
  return values;
}
async function readNumbers2({ file, dtype, byteOffset }, from, to) {
  const size = byteSizeOf(dtype);
  const bytes2 = new Uint8Array((to - from) * size);
  const handle = await open6(file, "r");
  try {
    if (await readRange(handle, bytes2, byteOffset + from * size)) return widened(dtype, bytes2);
  } finally {
    await handle.close();
  }
  throw new RetouchError("CHECKPOINT_INVALID", `The weights file ${file} became shorter while it was read.`);
}
var init_stored_source = __esm({
  "src/quantize/stored-source.ts"() {
    "use strict";
    init_errors();
    init_ranges();
    init_dtype();
    init_weight_set();
    init_widened();
  }
});

// src/quantize/prepare.ts
async function preparedWeights(name, stored, kind, cache, options = {}) {
  const isKeptHalf = kind === "fp16" || kind === "bf16";
  if (kind === "fp32") {
    if (stored instanceof WeightSet) return stored;
  } else if (isStoredAs(stored, kind)) return stored.with({ isKeptHalf });
  return (await cachedWeights(name, sourceOf(stored), kind, cache, { ...options, isKeptHalf })).weights;
}
function withOnly(stored, isRead) {
  if (stored instanceof WeightSet) return stored.only(isRead);
  return {
    ...stored,
    *weights() {
      for (const weight2 of stored.weights()) if (isRead(weight2.key)) yield weight2;
    }
  };
}
function holdsOnly(weights, dtype) {
  return [...weights.entries()].every(([, weight2]) => {
    if (weight2.shape.length < 2) return true;
    if ("blocks" in weight2) return false;
    const parts = "parts" in weight2 ? weight2.parts : [weight2];
    return parts.every((part) => part.dtype === dtype) && !("parts" in weight2 && weight2.scale);
  });
}
var HALF_TYPES, isStoredAs, sourceOf;
var init_prepare = __esm({
  "src/quantize/prepare.ts"() {
    "use strict";
    init_weight_set();
    init_cache();
    init_stored_source();
    HALF_TYPES = { fp16: "float16", bf16: "bfloat16" };
    isStoredAs = (stored, kind) => stored instanceof WeightSet && (kind === "fp16" || kind === "bf16") && holdsOnly(stored, HALF_TYPES[kind]);
    sourceOf = (stored) => stored instanceof WeightSet ? storedSource(stored) : stored;
  }
});

// src/engine/component.ts
function precisionOf({ leastPrecision }, kind) {
  const isTooCoarse = WEIGHTS_KINDS.indexOf(kind) > WEIGHTS_KINDS.indexOf(leastPrecision);
  return isTooCoarse ? leastPrecision : kind;
}
var WEIGHTS_KINDS, Component;
var init_component = __esm({
  "src/engine/component.ts"() {
    "use strict";
    init_kernel_forms();
    init_load();
    init_converted();
    WEIGHTS_KINDS = ["fp32", ...WEIGHT_KINDS];
    Component = class {
      name;
      adapterInputs;
      #source;
      #session;
      /** The largest that it has been asked to run with. */
      #sizes = {};
      /** In how many turns attention takes its queries for these, and in how many where it is loaded. */
      #turns = 0;
      #loadedTurns = 0;
      constructor(name, source) {
        this.name = name;
        this.adapterInputs = source.adapterInputs;
        this.#source = source;
      }
      get isLoaded() {
        return this.#session !== void 0;
      }
      /** Says which sizes the graph's named dimensions will have in the next runs. */
      fit(sizes) {
        const { outputs, runtime } = this.#source;
        const larger = Object.entries(sizes).filter(([name, size]) => size > (this.#sizes[name] ?? 0));
        if (larger.length === 0) return;
        this.#sizes = { ...this.#sizes, ...Object.fromEntries(larger) };
        this.#turns = turnsOf(outputs, formsIn(runtime), this.#sizes);
      }
      /**
       * Loads it; again, if it is loaded and has to take attention in more turns than it does.
       * @throws RetouchError RUNTIME_FAILED
       */
      async load() {
        const { outputs, weights, runtime } = this.#source;
        if (this.#turns > this.#loadedTurns) await this.release();
        this.#session ??= await loadSession(outputs, weights, runtime, this.#sizes);
        this.#loadedTurns = this.#turns;
        return this.#session;
      }
      /** Frees its memory. */
      async release() {
        const session = this.#session;
        this.#session = void 0;
        await session?.dispose();
      }
    };
  }
});

// src/engine/extent.ts
function usualEdit({ area }, usual) {
  return { ...squareEdit(Math.sqrt(area), usual), isNegativeUsed: true };
}
function squareEdit(side, usual = USUAL_PASSES) {
  const size = { width: side, height: side };
  return { target: size, references: [size], ...usual };
}
var USUAL_PASSES;
var init_extent = __esm({
  "src/engine/extent.ts"() {
    "use strict";
    init_edit_parameters();
    USUAL_PASSES = {
      numSteps: EDIT_PARAMETERS.numSteps.default,
      isNegativeUsed: false
    };
  }
});

// src/machine/size-text.ts
function sizeText(bytes2) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let value = bytes2;
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit += 1) value /= 1e3;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
var init_size_text = __esm({
  "src/machine/size-text.ts"() {
    "use strict";
  }
});

// src/models/count.ts
function countWeights(build, isCounted = () => true) {
  const count = { matrices: 0, tables: 0, others: 0, largestMatrix: 0 };
  for (const [key, { shape, isMatrix, isTable }] of requestedWeights(build)) {
    if (!isCounted(key)) continue;
    const size = shape.reduce((product2, dim) => product2 * dim, 1);
    count[isMatrix ? "matrices" : isTable ? "tables" : "others"] += size;
    if (isMatrix) count.largestMatrix = Math.max(count.largestMatrix, size);
  }
  return count;
}
function record(build) {
  const weights = /* @__PURE__ */ new Map();
  return { outputs: build(recordingScope("", weights)), weights };
}
function recordingScope(prefix, weights) {
  const take2 = (name, shape, { isMatrix = false, isTable = false } = {}) => {
    const key = `${prefix}${name}`;
    if (weights.has(key)) throw new Error(`The weight ${key} is used twice.`);
    weights.set(key, { shape, isMatrix, isTable });
    return externalTensor(key, "float32", shape, { location: "", byteOffset: 0, byteLength: 0 });
  };
  return {
    child: (...names) => recordingScope(`${prefix}${names.join(".")}.`, weights),
    adaptedInput: (x) => x,
    adapted: (_, y) => y,
    adaptedNorm: (weight2) => weight2,
    matrix: (name, shape) => take2(name, shape, { isMatrix: true }),
    rows: (name, shape, indices2) => gather(take2(name, shape, { isTable: true }), indices2),
    tensor: (name, shape) => take2(name, shape),
    has: () => false,
    hasChild: () => false,
    ignore() {
    }
  };
}
var totalOf, requestedWeights;
var init_count = __esm({
  "src/models/count.ts"() {
    "use strict";
    init_graph();
    init_ops();
    totalOf = ({ matrices, tables, others }) => matrices + tables + others;
    requestedWeights = (build) => record(build).weights;
  }
});

// src/engine/memory-plan.ts
function planMemory(model2, kinds, edit, limitBytes, maxTensorBytes = Infinity) {
  const tiledBytes = Math.min(TILED_SHARE * limitBytes, LAYERS_AT_ONCE * maxTensorBytes);
  const planIn = (tileSide) => planInTiles(model2, kinds, edit, tileSide);
  const [first, ...smaller] = sidesFrom(model2.components, edit, tiledBytes).map((side) => () => planIn(side));
  return smaller.reduce((plan, next) => plan.peakBytes <= limitBytes ? plan : next(), first());
}
function planInTiles(model2, kinds, edit, tileSide) {
  const needs = model2.components.map((component) => {
    const kind = typeof kinds === "string" ? kinds : kinds[component.weights] ?? "fp32";
    return [component.name, needsOf2(component, kind, component.workingBytes(edit, tileSide))];
  });
  const all = needs.map(([, one2]) => one2);
  const heldBytes = PROCESS_BYTES + model2.heldBytes(edit) + (edit.loraBytes ?? 0);
  return {
    components: Object.fromEntries(needs),
    tileSide,
    heldBytes,
    peakBytes: heldBytes + Math.max(...all.map((one2) => one2.privateBytes + one2.workingBytes)),
    residentBytes: heldBytes + all.reduce((sum, { privateBytes }) => sum + privateBytes, 0) + Math.max(...all.map(({ workingBytes }) => workingBytes))
  };
}
function weightsOf2(component) {
  const known = counts.get(component);
  if (known) return known;
  const count = countWeights((weights) => component.build(weights));
  counts.set(component, count);
  return count;
}
function needsOf2(component, wanted, workingBytes) {
  const count = weightsOf2(component);
  const storage = MATRICES[precisionOf(component, wanted)];
  return {
    parameters: totalOf(count),
    // Everything but matrices and tables is float32 once loaded, even if a file has it in 16 bits. Of a table, the few
    // rows that a text needs are read from its file.
    privateBytes: SESSION_BYTES + count.matrices * storage.private + count.others * FLOAT2,
    mappedBytes: count.matrices * storage.mapped,
    // If the file has 16 bits, one matrix at a time is widened.
    workingBytes: workingBytes + (storage.mapped > 0 ? count.largestMatrix * FLOAT2 : 0)
  };
}
function sidesFrom(components, edit, tiledBytes) {
  const tiled = components.filter(({ isTiled: isTiled2 }) => isTiled2);
  const sides = [void 0, ...TILE_SIDES];
  const first = sides.findIndex(
    (side) => tiled.every((component) => component.workingBytes(edit, side) <= tiledBytes)
  );
  return sides.slice(first);
}
var FLOAT2, MB, PROCESS_BYTES, SESSION_BYTES, TILED_SHARE, LAYERS_AT_ONCE, TILE_SIDES, SHARED_SHARE, PLAIN, HALF2, BLOCK, INT8, INT4, MATRICES, isResident, counts;
var init_memory_plan = __esm({
  "src/engine/memory-plan.ts"() {
    "use strict";
    init_count();
    init_component();
    FLOAT2 = 4;
    MB = 2 ** 20;
    PROCESS_BYTES = 200 * MB;
    SESSION_BYTES = 16 * MB;
    TILED_SHARE = 1 / 4;
    LAYERS_AT_ONCE = 4;
    TILE_SIDES = [1024, 512, 256];
    SHARED_SHARE = 3 / 4;
    PLAIN = { private: 4, mapped: 0 };
    HALF2 = { private: 0, mapped: 2 };
    BLOCK = 128;
    INT8 = { private: 1 + FLOAT2 / BLOCK, mapped: 0 };
    INT4 = { private: 1 / 2 + FLOAT2 / BLOCK, mapped: 0 };
    MATRICES = {
      fp32: PLAIN,
      fp16: HALF2,
      bf16: HALF2,
      int8: INT8,
      int4: INT4
    };
    isResident = ({ residentBytes }, limitBytes) => residentBytes <= SHARED_SHARE * limitBytes;
    counts = /* @__PURE__ */ new WeakMap();
  }
});

// src/engine/weights-choice.ts
function chooseKinds(choice, model2, room) {
  const kindsIn = (kindOf) => Object.fromEntries(convertibleNames(model2).map((name) => [name, kindOf(model2.stored[name])]));
  if (choice !== "auto") return kindsIn(() => choice);
  return fittingKinds(model2, room) ?? // If nothing fits, nothing is rounded either: edits are refused, with the figures.
  kindsIn((weights) => weights instanceof WeightSet ? "fp32" : halfOf(weights));
}
function convertibleNames({ components, stored }) {
  const names = stored ? Object.keys(stored) : [...new Set(components.map(({ weights }) => weights))];
  return names.filter(
    (name) => components.some(({ weights, leastPrecision }) => weights === name && leastPrecision !== "fp32")
  );
}
function fittingKinds(model2, room) {
  const names = convertibleNames(model2);
  return firstFitting(
    model2,
    room,
    (kind) => Object.fromEntries(names.map((name) => [name, unaskedKind(model2.stored?.[name], kind)]))
  );
}
function firstFitting(model2, { limitBytes, loraRooms = [] }, kindsOf) {
  const planOf = (kinds2, loraBytes) => planMemory(model2, kinds2, { ...usualEdit(model2.native, model2.usual), loraBytes }, limitBytes);
  const exact = kindsOf("fp32");
  const kinds = isResident(planOf(exact, 0), limitBytes) ? [exact] : [];
  kinds.push(...IN_FEW_BITS.map(kindsOf));
  for (const loraBytes of [...loraRooms, 0]) {
    const fitting = kinds.find((each) => planOf(each, loraBytes).peakBytes <= limitBytes);
    if (fitting !== void 0) return fitting;
  }
  return void 0;
}
function kindsText(kinds) {
  const [first, ...others] = Object.values(kinds);
  if (first === void 0) return "fp32";
  if (others.every((kind) => kind === first)) return first;
  return Object.entries(kinds).map(([name, kind]) => `${name} ${kind}`).join(", ");
}
var WEIGHTS_CHOICES, IN_FEW_BITS, unaskedKind, halfOf;
var init_weights_choice = __esm({
  "src/engine/weights-choice.ts"() {
    "use strict";
    init_weight_set();
    init_component();
    init_extent();
    init_memory_plan();
    WEIGHTS_CHOICES = ["auto", ...WEIGHTS_KINDS];
    IN_FEW_BITS = ["int8", "int4"];
    unaskedKind = (weights, kind) => weights === void 0 || weights instanceof WeightSet || kind === "fp32" ? kind : halfOf(weights);
    halfOf = ({ half = "fp16" }) => half;
  }
});

// src/engine/memory-check.ts
function checkMemory(model2, kinds, edit, limitBytes, maxTensorBytes) {
  const plan = planMemory(model2, kinds, edit, limitBytes, maxTensorBytes);
  if (plan.peakBytes <= limitBytes) return plan;
  const { width, height } = edit.target;
  const least = planMemory(model2, "int4", edit, limitBytes).peakBytes;
  const less = least < plan.peakBytes ? ` (${sizeText(least)} with int4)` : "";
  const loras = edit.loraBytes ? `, ${sizeText(edit.loraBytes)} of it for LoRAs` : "";
  throw new RetouchError(
    "MEMORY_INSUFFICIENT",
    `An edit at ${width}x${height} needs about ${sizeText(plan.peakBytes)} of memory with ${kindsText(kinds)} weights${less}${loras}, and ${sizeText(limitBytes)} may be used.`
  );
}
var init_memory_check = __esm({
  "src/engine/memory-check.ts"() {
    "use strict";
    init_errors();
    init_size_text();
    init_memory_plan();
    init_weights_choice();
  }
});

// src/engine/residency.ts
var Residency;
var init_residency = __esm({
  "src/engine/residency.ts"() {
    "use strict";
    init_memory_plan();
    Residency = class {
      #components;
      #limitBytes;
      #plan;
      /** One network runs at a time; a running one must not be released. */
      #last = Promise.resolve();
      /**
       * @param plan the memory plan of a usual edit
       * @param limitBytes what the process may take
       */
      constructor(components, plan, limitBytes) {
        this.#components = components;
        this.#plan = plan;
        this.#limitBytes = limitBytes;
      }
      /** Whether every network stays loaded. */
      get isWhole() {
        return isResident(this.#plan, this.#limitBytes);
      }
      /** Plans for another edit's sizes from now on; loads every network if all of them fit. */
      follow(plan) {
        return this.#inTurn(async () => {
          this.#plan = plan;
          if (!this.isWhole) return;
          for (const component of this.#components) await component.load();
        });
      }
      /** Runs a network, loading it first if need be. */
      run(component, inputs) {
        return this.#inTurn(async () => (await this.#loaded(component)).run(inputs));
      }
      /** Releases every network, once the running one has finished. */
      dispose() {
        return this.#inTurn(async () => {
          await Promise.all(this.#components.map((component) => component.release()));
        });
      }
      async #loaded(component) {
        for (let missing = this.#missingBytes(component); missing > 0; missing = this.#missingBytes(component)) {
          const released = this.#toRelease(component, missing);
          if (released === void 0) break;
          await released.release();
        }
        return component.load();
      }
      /** Bytes by which the process would exceed its limit while `component` runs. */
      #missingBytes(component) {
        const { heldBytes, components } = this.#plan;
        const others = this.#others(component).map(({ name }) => components[name].privateBytes);
        const { privateBytes, workingBytes } = components[component.name];
        const taken = others.reduce((sum, bytes2) => sum + bytes2, heldBytes + privateBytes + workingBytes);
        return taken - SHARED_SHARE * this.#limitBytes;
      }
      /** The smallest network that frees enough alone, or else the largest: a small one is quick to load again. */
      #toRelease(component, missing) {
        const size = ({ name }) => this.#plan.components[name].privateBytes;
        const others = this.#others(component).toSorted((a, b) => size(a) - size(b));
        return others.find((other) => size(other) >= missing) ?? others.at(-1);
      }
      #others(component) {
        return this.#components.filter((other) => other !== component && other.isLoaded);
      }
      #inTurn(work) {
        const result = this.#last.then(work);
        this.#last = result.catch(() => {
        });
        return result;
      }
    };
  }
});

// src/engine/components.ts
async function prepareWeights({ stored }, kinds, runtime, { cacheFolder, onConversion, accuracyLevel }) {
  const cache = {
    folder: cacheFolder ?? userCacheFolder(),
    threads: runtime.threads || void 0,
    onProgress: onConversion
  };
  const prepared = /* @__PURE__ */ new Map();
  for (const [name, weights] of Object.entries(stored)) {
    const kind = kinds[name] ?? "fp32";
    prepared.set(name, await preparedWeights(name, weights, kind, cache, { accuracyLevel }));
  }
  return prepared;
}
async function settle(model2, stored, { settleDevice }) {
  const networks2 = model2.components.map((definition) => ({
    definition,
    weights: stored.get(definition.weights)
  }));
  return settleDevice?.(networks2, usualEdit(model2.native, model2.usual));
}
function weightsFor({ device = "cpu" }, stored, { accuracyLevel }) {
  if (device === "cpu" || accuracyLevel !== void 0) return stored;
  return new Map([...stored].map(([name, weights]) => [name, exactly(weights)]));
}
function componentOf(definition, weights, runtime, isAdaptable) {
  const adapterInputs = isAdaptable && definition.isAdaptable ? new AdapterInputs(definition.loraName) : void 0;
  const outputs = definition.build(weights.scope("", adapterInputs), {
    computeType: runtime.computeType
  });
  return new Component(definition.name, { outputs, weights, runtime, adapterInputs });
}
var NO_ADAPTERS, Components, runtimeOf;
var init_components = __esm({
  "src/engine/components.ts"() {
    "use strict";
    init_cache_folder();
    init_adapters();
    init_prepare();
    init_unused_keys();
    init_component();
    init_exact_weights();
    init_extent();
    init_memory_check();
    init_memory_plan();
    init_residency();
    init_weights_choice();
    NO_ADAPTERS = /* @__PURE__ */ new Map();
    Components = class _Components {
      /** The kind that each large network's weights are loaded in. */
      kinds;
      /** What the user should know about the weights, as sentences. */
      notices;
      /** What `settleDevice` chose. */
      device;
      #model;
      #components;
      #residency;
      #limitBytes;
      #isAdaptable;
      #maxTensorBytes;
      #plan;
      constructor(model2, components, options) {
        this.notices = options.notices;
        this.device = options.device;
        this.#model = model2;
        this.#components = new Map(components.map((component) => [component.name, component]));
        this.kinds = options.kinds;
        this.#limitBytes = options.limitBytes;
        this.#isAdaptable = options.isAdaptable;
        this.#maxTensorBytes = options.device?.forms?.maxTensorBytes;
        const usual = usualEdit(model2.native, model2.usual);
        this.#plan = planMemory(model2, this.kinds, usual, this.#limitBytes, this.#maxTensorBytes);
        this.#residency = new Residency(components, this.#plan, this.#limitBytes);
      }
      /**
       * Converts weights if requested, checks every network against its weights, then loads the networks if all of them fit
       * at once.
       * @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming file and key; INVALID_PARAMETER or
       * OUTPUT_UNWRITABLE for weights to be converted; as `settleDevice` does
       */
      static async load(model2, runtime, options = {}) {
        const { limitBytes = Infinity, isAdaptable = false, weights = "fp32", loraRooms } = options;
        const kinds = chooseKinds(weights, model2, { limitBytes, loraRooms });
        const stored = await prepareWeights(model2, kinds, runtime, options);
        const device = await settle(model2, stored, options);
        const settled2 = { ...runtime, ...device && runtimeOf(device) };
        const prepared = weightsFor(settled2, stored, options);
        const components = model2.components.map(
          (definition) => componentOf(definition, prepared.get(definition.weights), settled2, isAdaptable)
        );
        const notices = [...prepared.values()].flatMap(
          (weights2) => unusedNotice(weights2.name, weights2.unusedKeys())
        );
        const loaded = new _Components(model2, components, {
          kinds,
          limitBytes,
          isAdaptable,
          notices,
          device
        });
        loaded.#fit(usualEdit(model2.native, model2.usual));
        await loaded.#residency.follow(loaded.#plan);
        return loaded;
      }
      get tileSide() {
        return this.#plan.tileSide;
      }
      /** Memory that the planned edit takes: with networks that come and go, up to the limit. */
      get neededBytes() {
        return this.#residency.isWhole ? this.#plan.residentBytes : this.#limitBytes;
      }
      async prepare(edit) {
        this.#plan = checkMemory(this.#model, this.kinds, edit, this.#limitBytes, this.#maxTensorBytes);
        this.#fit(edit);
        await this.#residency.follow(this.#plan);
      }
      #fit(edit) {
        for (const definition of this.#model.components) {
          this.#components.get(definition.name).fit(definition.runs(edit).dims);
        }
      }
      run(name, inputs, adapters = NO_ADAPTERS) {
        if (!this.#isAdaptable && adapters.size > 0) throw new Error("These networks take no adapters.");
        const component = this.#components.get(name);
        return this.#residency.run(component, { ...inputs, ...component.adapterInputs?.inputsOf(adapters) });
      }
      dispose() {
        return this.#residency.dispose();
      }
    };
    runtimeOf = ({ name, forms, computeType }) => ({
      device: name,
      forms,
      computeType
    });
  }
});

// src/tokenizers/trie.ts
var newNode, Trie;
var init_trie = __esm({
  "src/tokenizers/trie.ts"() {
    "use strict";
    newNode = () => ({ next: /* @__PURE__ */ new Map(), value: void 0 });
    Trie = class {
      #root = newNode();
      /** A text that is there already gets the new value; an empty one is never found. */
      set(text3, value) {
        let node = this.#root;
        for (let index = 0; index < text3.length; index += 1) {
          const unit = text3.charCodeAt(index);
          let next = node.next.get(unit);
          if (next === void 0) {
            next = newNode();
            node.next.set(unit, next);
          }
          node = next;
        }
        node.value = value;
      }
      /** Calls `found` with the end and the value of every text that begins at `start`, the shortest first. */
      eachAt(text3, start, found) {
        let node = this.#root;
        for (let index = start; index < text3.length; index += 1) {
          node = node.next.get(text3.charCodeAt(index));
          if (node === void 0) return;
          if (node.value !== void 0) found(index + 1, node.value);
        }
      }
      /** The longest text that begins at `start`. */
      longestAt(text3, start) {
        let longest;
        this.eachAt(text3, start, (end, value) => {
          longest = { end, value };
        });
        return longest;
      }
    };
  }
});

// src/tokenizers/unicode.ts
var NEWER, NOT_COMPOSED, UNKNOWN, LARGE_UNKNOWN, asKnown, partsOf3, isSpace, endsWithWord, startsWithWord, composed, lowerCase;
var init_unicode = __esm({
  "src/tokenizers/unicode.ts"() {
    "use strict";
    NEWER = // oxlint-disable-next-line no-misleading-character-class
    /[\u088F\u0C5C\u0CDC\u1ACF-\u1ADD\u1AE0-\u1AEB\u20C1\u2B96\uA7CE-\uA7CF\uA7D2\uA7D4\uA7F1\uFBC3-\uFBD2\uFD90-\uFD91\uFDC8-\uFDCE\u{10940}-\u{10959}\u{10EC5}-\u{10EC7}\u{10ED0}-\u{10ED8}\u{10EFA}-\u{10EFB}\u{11B60}-\u{11B67}\u{11DB0}-\u{11DDB}\u{11DE0}-\u{11DE9}\u{16EA0}-\u{16EB8}\u{16EBB}-\u{16ED3}\u{16FF2}-\u{16FF6}\u{187F8}-\u{187FF}\u{18D09}-\u{18D1E}\u{18D80}-\u{18DF2}\u{1CCFA}-\u{1CCFC}\u{1CEBA}-\u{1CED0}\u{1CEE0}-\u{1CEF0}\u{1E6C0}-\u{1E6DE}\u{1E6E0}-\u{1E6F5}\u{1E6FE}-\u{1E6FF}\u{1F6D8}\u{1F777}-\u{1F77A}\u{1F8D0}-\u{1F8D8}\u{1FA54}-\u{1FA57}\u{1FA8A}\u{1FA8E}\u{1FAC8}\u{1FACD}\u{1FAEA}\u{1FAEF}\u{1FBFA}\u{2B73A}-\u{2B73F}\u{2CEA2}-\u{2CEAD}\u{323B0}-\u{33479}]/gu;
    NOT_COMPOSED = // oxlint-disable-next-line no-misleading-character-class
    /([\u07FD\u0897-\u089F\u08CA-\u08D3\u09FE\u0C3C\u0D3B-\u0D3C\u0EBA\u1715\u1ABF-\u1ADD\u1AE0-\u1AEB\u1DF6-\u1DFA\uA82C\u{105D2}\u{105DA}\u{10D24}-\u{10D27}\u{10D69}-\u{10D6D}\u{10EAB}-\u{10EAC}\u{10EFA}-\u{10EFB}\u{10EFD}-\u{10EFF}\u{10F46}-\u{10F50}\u{10F82}-\u{10F85}\u{11070}\u{1133B}\u{11382}\u{11384}\u{1138B}\u{11390}\u{113B8}\u{113BB}\u{113C2}\u{113C9}\u{113CE}-\u{113D0}\u{1145E}\u{11839}-\u{1183A}\u{11930}\u{11935}\u{1193D}-\u{1193E}\u{11943}\u{119E0}\u{11A34}\u{11A47}\u{11A99}\u{11D42}\u{11D44}-\u{11D45}\u{11D97}\u{11F41}-\u{11F42}\u{1611E}-\u{16120}\u{16129}\u{1612F}\u{16D63}\u{16D67}\u{16FF0}-\u{16FF1}\u{1E08F}\u{1E130}-\u{1E136}\u{1E2AE}\u{1E2EC}-\u{1E2EF}\u{1E4EC}-\u{1E4EF}\u{1E5EE}-\u{1E5EF}\u{1E6E3}\u{1E6E6}\u{1E6EE}-\u{1E6EF}\u{1E6F5}])/u;
    [UNKNOWN, LARGE_UNKNOWN] = ["\uE000", "\u{F0000}"];
    asKnown = (text3) => text3.replace(NEWER, (character) => character.length === 1 ? UNKNOWN : LARGE_UNKNOWN);
    partsOf3 = (text3, pattern) => Array.from(asKnown(text3).matchAll(pattern), ({ 0: part, index }) => text3.slice(index, index + part.length));
    isSpace = (unit) => /^\p{White_Space}$/u.test(unit ?? "");
    endsWithWord = (text3) => /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200C\u200D]$/u.test(asKnown(text3));
    startsWithWord = (text3) => /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200C\u200D]/u.test(asKnown(text3));
    composed = (text3) => text3.split(NOT_COMPOSED).map((part) => part.normalize("NFC")).join("");
    lowerCase = (text3) => text3.replaceAll("\u03A3", "\u03C3").toLowerCase();
  }
});

// src/tokenizers/added-vocabulary.ts
var AddedVocabulary;
var init_added_vocabulary = __esm({
  "src/tokenizers/added-vocabulary.ts"() {
    "use strict";
    init_trie();
    init_unicode();
    AddedVocabulary = class {
      #options;
      #ids = /* @__PURE__ */ new Map();
      #tokens = /* @__PURE__ */ new Map();
      #special = /* @__PURE__ */ new Set();
      #plainTrie = new Trie();
      #normalizedTrie = new Trie();
      /** A token that the vocabulary has keeps its id; every other gets the next one, in the order of the list. */
      constructor(tokens, options) {
        this.#options = options;
        const { vocabulary } = options;
        let nextId = vocabulary.size;
        for (const token of tokens) {
          if (token.content === "") continue;
          if (token.special) this.#special.add(token.content);
          const id = this.idOf(token.content) ?? nextId++;
          this.#ids.set(token.content, id);
          this.#tokens.set(id, token);
        }
        for (const [id, { content, normalized }] of this.#tokens) {
          if (normalized) this.#normalizedTrie.set(options.normalize(content), id);
          else this.#plainTrie.set(content, id);
        }
      }
      idOf(token) {
        return this.#ids.get(token) ?? this.#options.vocabulary.idOf(token);
      }
      has(token) {
        return this.#ids.has(token);
      }
      /** Finds the tokens in a text; what lies between them is normalised. */
      split(text3) {
        return this.#find(text3, this.#plainTrie).flatMap(
          (part) => typeof part === "string" ? this.#find(this.#options.normalize(part), this.#normalizedTrie) : [part]
        );
      }
      /** At every place the longest token; one that may not match there is passed over as a whole. */
      #find(text3, trie) {
        const parts = [];
        let done = 0;
        let position = 0;
        while (position < text3.length) {
          const match = trie.longestAt(text3, position);
          if (match === void 0) {
            position += 1;
            continue;
          }
          const token = this.#tokens.get(match.value);
          let [start, end] = [position, match.end];
          position = end;
          if (!this.#mayMatch(token, text3, start, end)) continue;
          if (token.lstrip) while (start > done && isSpace(text3[start - 1])) start -= 1;
          if (token.rstrip) while (end < text3.length && isSpace(text3[end])) end += 1;
          if (done < start) parts.push(text3.slice(done, start));
          parts.push({ id: match.value, text: text3.slice(start, end) });
          done = end;
        }
        if (done < text3.length) parts.push(text3.slice(done));
        return parts;
      }
      #mayMatch(token, text3, start, end) {
        if (this.#options.splitSpecial && this.#special.has(token.content)) return false;
        if (!token.singleWord) return true;
        const before = text3.slice(Math.max(0, start - 2), start);
        return !endsWithWord(before) && !startsWithWord(text3.slice(end, end + 2));
      }
    };
  }
});

// src/tokenizers/check-definition.ts
function checkDefinition(file, { model: model2, added_tokens: addedTokens, normalizer }) {
  if (!isObject(model2)) throw invalid2(file, "model must be an object", model2);
  const { type, vocab, unk_id: unknownId } = model2;
  if (!MODELS.includes(type))
    throw invalid2(file, `model.type must be one of ${MODELS.slice(1).join(", ")}`, type);
  checkVocabulary(file, "model.vocab", vocab);
  if (Array.isArray(vocab) && unknownId !== void 0 && unknownId !== null) {
    if (!isId(unknownId) || unknownId >= vocab.length) {
      throw invalid2(file, "model.unk_id must be an id of the vocabulary", unknownId);
    }
  }
  if (addedTokens !== void 0) checkAddedTokens(file, addedTokens);
  if (normalizer !== void 0 && normalizer !== null && !isObject(normalizer)) {
    throw invalid2(file, "normalizer must be an object", normalizer);
  }
}
function checkVocabulary(file, name, vocabulary) {
  if (!isObject(vocabulary) && !Array.isArray(vocabulary)) {
    throw invalid2(file, `${name} must be an object or a list`, vocabulary);
  }
  const entries = Object.entries(vocabulary);
  if (entries.length === 0 || entries.length > MAX_VOCABULARY) {
    throw invalid2(file, `${name} must have from 1 to ${MAX_VOCABULARY} entries`, entries.length);
  }
  if (Array.isArray(vocabulary)) {
    const malformed2 = vocabulary.findIndex((entry2) => !isScored(entry2));
    if (malformed2 >= 0) {
      throw invalid2(file, `${name}[${malformed2}] must be a text and its score`, vocabulary[malformed2]);
    }
    return;
  }
  const malformed = entries.find(([, id]) => !isId(id));
  if (malformed) {
    throw invalid2(file, `${name} must give ids from 0 to ${MAX_VOCABULARY}, and one`, malformed[1]);
  }
}
function checkAddedTokens(file, tokens) {
  if (!Array.isArray(tokens)) throw invalid2(file, "added_tokens must be a list", tokens);
  for (const [index, token] of tokens.entries()) {
    const { id, content } = isObject(token) ? token : {};
    if (!isId(id) || typeof content !== "string") {
      throw invalid2(file, `added_tokens[${index}] must have an id up to ${MAX_VOCABULARY} and a text`, token);
    }
  }
}
function invalid2(file, what, found) {
  const is = found === void 0 ? "is missing" : `is ${shownValue(found)}`;
  return new RetouchError("CHECKPOINT_INVALID", `In ${file}, ${what} and ${is}.`);
}
var isId, MODELS, isScored, isObject;
var init_check_definition = __esm({
  "src/tokenizers/check-definition.ts"() {
    "use strict";
    init_errors();
    init_config();
    init_limits();
    isId = isWhole({ min: 0, max: MAX_VOCABULARY });
    MODELS = [void 0, "BPE", "Unigram", "WordPiece", "WordLevel"];
    isScored = (entry2) => Array.isArray(entry2) && entry2.length === 2 && typeof entry2[0] === "string" && Number.isFinite(entry2[1]);
    isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  }
});

// src/tokenizers/folder.ts
import { readdir as readdir3 } from "node:fs/promises";
import path13 from "node:path";
function definitionName(file, fields) {
  const listed = fields["fast_tokenizer_files"] ?? [];
  if (!Array.isArray(listed) || listed.some((name) => typeof name !== "string" || path13.basename(name) !== name)) {
    throw invalid2(file, "fast_tokenizer_files must be a list of names", listed);
  }
  const byVersion = listed.flatMap((name) => {
    const version = VERSIONED.exec(name)?.[1];
    return version === void 0 ? [] : [{ name, version }];
  });
  const isReached = ({ version }) => compareVersions(version, TRANSFORMERS_VERSION) <= 0;
  const sorted = byVersion.toSorted((a, b) => a.version < b.version ? -1 : a.version > b.version ? 1 : 0);
  const reached = sorted.slice(0, sorted.findIndex((entry2) => !isReached(entry2)) >>> 0);
  return reached.at(-1)?.name ?? DEFINITION;
}
function compareVersions(one2, other) {
  const [a, b] = [one2.split(".").map(Number), other.split(".").map(Number)];
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
var CONFIG, DEFINITION, VERSIONED, TRANSFORMERS_VERSION, OTHER_VOCABULARY, OBJECT_FIELDS, OVERRULED_FIELDS, TokenizerFolder, isGiven;
var init_folder = __esm({
  "src/tokenizers/folder.ts"() {
    "use strict";
    init_errors();
    init_config();
    init_small_file();
    init_check_definition();
    CONFIG = "tokenizer_config.json";
    DEFINITION = "tokenizer.json";
    VERSIONED = /tokenizer\.(\d+(?:\.\d+)*)\.json/;
    TRANSFORMERS_VERSION = "5.23.0";
    OTHER_VOCABULARY = /tekken\.json|tokenizer\.model\.*|tiktoken\.model/;
    OBJECT_FIELDS = ["tokenizer_object", "gguf_file", "_json_padding"];
    OVERRULED_FIELDS = ["post_processor", "tokenizer_padding"];
    TokenizerFolder = class _TokenizerFolder {
      tokens;
      /** `tokenizer.json` with its name; undefined if there is none. */
      definition;
      config;
      #folder;
      #names;
      constructor(folder2, names, tokens, definition) {
        this.#folder = folder2;
        this.#names = names;
        this.tokens = tokens;
        this.definition = definition;
        this.config = new Config(tokens.names.config, tokens.config);
      }
      /** @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID, naming the file */
      static async open(checkpoint, component) {
        const within2 = path13.join(checkpoint.folder, component);
        const listed = await readdir3(within2).catch(() => void 0);
        const folder2 = listed === void 0 ? checkpoint.folder : within2;
        const names = new Set(listed ?? await readdir3(folder2).catch(() => []));
        const read = async (name) => names.has(name) ? Config.read(path13.join(folder2, name)) : void 0;
        const config = await read(CONFIG);
        const fields = config?.fields ?? {};
        const definition = await read(definitionName(path13.join(folder2, CONFIG), fields));
        if (definition !== void 0) checkDefinition(definition.file, definition.fields);
        const file = path13.join(folder2, CONFIG);
        const refused = definition === void 0 ? [...OBJECT_FIELDS, ...OVERRULED_FIELDS] : OBJECT_FIELDS;
        const found = refused.find((name) => isGiven(fields[name]));
        if (found !== void 0) throw invalid2(file, `${found} cannot come from a file`, fields[found]);
        if (isGiven(fields["init_inputs"]))
          throw invalid2(file, "init_inputs must be empty", fields["init_inputs"]);
        return new _TokenizerFolder(
          folder2,
          names,
          {
            names: {
              config: file,
              specialTokens: path13.join(folder2, "special_tokens_map.json"),
              addedTokens: path13.join(folder2, "added_tokens.json"),
              definition: definition?.file ?? path13.join(folder2, DEFINITION)
            },
            config: fields,
            specialTokens: (await read("special_tokens_map.json"))?.fields,
            addedTokens: (await read("added_tokens.json"))?.fields,
            definition: definition?.fields
          },
          definition
        );
      }
      /** The full name of a file, which need not be there. */
      path(name) {
        return path13.join(this.#folder, name);
      }
      has(name) {
        return this.#names.has(name);
      }
      /** The names in a folder within this one; none if there is no such folder. */
      async namesIn(name) {
        return readdir3(this.path(name)).catch(() => []);
      }
      /** @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID if it is too large */
      bytes(name) {
        return readSmallFile(this.path(name));
      }
      /** The first of these files; the others must be there as well. @throws RetouchError CHECKPOINT_MISSING */
      vocabularyName(first, ...others) {
        const missing = [first, ...others].filter((name) => !this.#names.has(name));
        if (missing.length === 0) return first;
        throw new RetouchError(
          "CHECKPOINT_MISSING",
          `The folder ${this.#folder} has neither ${DEFINITION} nor ${missing.join(" and ")}.`
        );
      }
      /** The name of a SentencePiece model: the reference prefers some others to that of the class. */
      modelName(usual) {
        return this.vocabularyName(OTHER_VOCABULARY.exec([...this.#names].join("\n"))?.[0] ?? usual);
      }
      /** The side on which texts are padded or cut, from the configuration, else from the definition. */
      side(field) {
        const { fields, file } = this.config;
        const side = Object.hasOwn(fields, field) ? fields[field] : this.#storedSide(field) ?? "right";
        if (side === "left" || side === "right") return side;
        throw invalid2(file, `${field} must be left or right`, side);
      }
      /** How a definition writes it, or under transformers' own names for what it finds there. */
      #storedSide(field) {
        const step = field === "padding_side" ? "padding" : "truncation";
        const { fields } = this.config;
        const own = this.definition === void 0 ? fields[`tokenizer_${step}`] : this.definition.fields[step];
        const settings = own ?? fields[`_json_${step}`];
        const side = isObject(settings) ? settings["direction"] : void 0;
        return typeof side === "string" ? side.toLowerCase() : side;
      }
    };
    isGiven = (value) => value !== void 0 && value !== null && !(typeof value === "object" && Object.keys(value).length === 0);
  }
});

// src/tokenizers/byte-pairs.ts
import { isUtf8 } from "node:buffer";
import * as library from "@huggingface/tokenizers";
async function readBytePairs(folder2) {
  const { definition } = folder2;
  const pairs = definition ? fromDefinition(definition) : await fromFiles(folder2);
  const { file, vocabulary, merges } = pairs;
  const missing = merges.flatMap(([first, second]) => [first, second, first + second]).find((symbol) => !vocabulary.has(symbol));
  if (missing === void 0) return pairs;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `In ${file}, the merges need the symbol ${shownValue(missing)}, which the vocabulary lacks.`
  );
}
function bytePairModel(merges, endOfWord) {
  const model2 = new BPE({
    type: "BPE",
    vocab: {},
    merges,
    ...endOfWord !== void 0 && { end_of_word_suffix: endOfWord },
    ignore_merges: false
  });
  return (word2) => model2.bpe(word2);
}
function fromDefinition({ file, fields }) {
  const { vocab, merges = [] } = fields["model"];
  const vocabulary = new Map(
    Array.isArray(vocab) ? vocab.map(([text3], id) => [text3, id]) : Object.entries(vocab)
  );
  if (!Array.isArray(merges)) throw invalid2(file, "model.merges must be a list", merges);
  return {
    file,
    vocabulary,
    merges: merges.map((merge, index) => {
      const pair = typeof merge === "string" ? merge.split(" ") : merge;
      if (isPair(pair)) return pair;
      throw invalid2(file, `model.merges[${index}] must be two symbols`, merge);
    })
  };
}
async function fromFiles(folder2) {
  const given = ["vocab", "merges"].find((name) => isGiven(folder2.config.get(name)));
  if (given !== void 0) throw invalid2(folder2.config.file, `${given} must be in a file of its own`, given);
  const vocabulary = await Config.read(folder2.path(folder2.vocabularyName("vocab.json", "merges.txt")));
  const ids = Object.entries(vocabulary.fields).filter(([, id]) => typeof id === "number");
  checkVocabulary(vocabulary.file, "its vocabulary", Object.fromEntries(ids));
  return { file: vocabulary.file, vocabulary: new Map(ids), merges: await readMerges(folder2) };
}
async function readMerges(folder2) {
  const file = folder2.path("merges.txt");
  const bytes2 = await folder2.bytes("merges.txt");
  if (!isUtf8(bytes2))
    throw new RetouchError("CHECKPOINT_INVALID", `The checkpoint file ${file} is no UTF-8 text.`);
  const lines = bytes2.toString("utf8").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.flatMap((line, index) => {
    if (line.startsWith("#version")) return [];
    const pair = line.replace(/\r$/, "").split(" ");
    if (isPair(pair)) return [pair];
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `The checkpoint file ${file} must have two symbols on each line, and its line ${index + 1} has not.`
    );
  });
}
var BPE, isPair, BYTE_CHARACTERS, visibleBytes;
var init_byte_pairs = __esm({
  "src/tokenizers/byte-pairs.ts"() {
    "use strict";
    init_errors();
    init_config();
    init_check_definition();
    init_folder();
    ({ BPE } = library);
    isPair = (value) => Array.isArray(value) && value.length === 2 && value.every((symbol) => typeof symbol === "string");
    BYTE_CHARACTERS = (() => {
      let next = 256;
      return Array.from(
        { length: 256 },
        (_, byte) => String.fromCharCode(/[!-~\u00A1-\u00AC\u00AE-\u00FF]/.test(String.fromCharCode(byte)) ? byte : next++)
      );
    })();
    visibleBytes = (text3) => Array.from(Buffer.from(text3, "utf8"), (byte) => BYTE_CHARACTERS[byte]).join("");
  }
});

// src/tokenizers/token-values.ts
function newToken(file, name, value) {
  if (!isObject(value)) throw invalid2(file, `${name} must be an object with its content`, value);
  const { content = "" } = value;
  if (typeof content !== "string") throw invalid2(file, `${name}.content must be a text`, content);
  const flag2 = (field) => {
    const found = value[field];
    if (found !== void 0 && typeof found !== "boolean") {
      throw invalid2(file, `${name}.${field} must be true or false`, found);
    }
    return found;
  };
  return new StoredToken({
    content,
    singleWord: flag2("single_word") ?? false,
    lstrip: flag2("lstrip") ?? false,
    rstrip: flag2("rstrip") ?? false,
    normalized: flag2("normalized"),
    special: flag2("special") ?? false
  });
}
function convertToken(file, name, value) {
  if (isTyped(value)) return newToken(file, name, value);
  if (Array.isArray(value)) {
    return value.map((item) => isTyped(item) ? newToken(file, name, item) : item);
  }
  if (!isObject(value) || value instanceof StoredToken) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, isTyped(item) ? newToken(file, name, item) : item])
  );
}
function contentOf(value) {
  return typeof value === "string" ? value : value instanceof StoredToken ? value.content : void 0;
}
function isSame(one2, other) {
  if (one2 instanceof StoredToken && other instanceof StoredToken) {
    const [a, b] = [asAdded(one2), asAdded(other)];
    return Object.keys(a).every((field) => a[field] === b[field]);
  }
  return contentOf(one2) !== void 0 && contentOf(one2) === contentOf(other);
}
function asAdded(token, special = false) {
  if (typeof token === "string") {
    return {
      content: token,
      singleWord: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true
    };
  }
  const isSpecial = token.special || special;
  return {
    content: token.content,
    singleWord: token.singleWord,
    lstrip: token.lstrip,
    rstrip: token.rstrip,
    normalized: token.normalized ?? !isSpecial,
    special: isSpecial
  };
}
var StoredToken, isTyped;
var init_token_values = __esm({
  "src/tokenizers/token-values.ts"() {
    "use strict";
    init_check_definition();
    StoredToken = class {
      content;
      singleWord;
      lstrip;
      rstrip;
      normalized;
      special;
      constructor(fields) {
        this.content = fields.content;
        this.singleWord = fields.singleWord;
        this.lstrip = fields.lstrip;
        this.rstrip = fields.rstrip;
        this.normalized = fields.normalized;
        this.special = fields.special;
      }
    };
    isTyped = (value) => isObject(value) && value["__type"] === "AddedToken";
  }
});

// src/tokenizers/clip.ts
async function clipScheme(folder2, gathered) {
  const { file, vocabulary, merges } = await readBytePairs(folder2);
  const fields = { ...DEFAULTS, ...gathered.fields };
  const merge = bytePairModel(merges, END_OF_WORD);
  const unknown = contentOf(fields.unk_token) ?? "None";
  const tokenOf = (symbol) => {
    const text3 = vocabulary.has(symbol) ? symbol : unknown;
    const id = vocabulary.get(text3);
    if (id !== void 0) return { id, text: text3 };
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${file}, the vocabulary has neither ${shownValue(symbol)}, which a text needs, nor the unk_token.`
    );
  };
  return {
    file,
    fields,
    vocabulary: { size: vocabulary.size, idOf: (token) => vocabulary.get(token) },
    frame: (idOf) => ({ begin: [idOf("bos_token")], end: [idOf("eos_token")] }),
    normalize: (text3) => lowerCase(composed(text3).replaceAll(/\p{White_Space}+/gu, " ")),
    tokens: (text3) => wordsOf(text3).flatMap((word2) => merge(word2).map(tokenOf))
  };
}
var WORDS, BYTE_LEVEL, END_OF_WORD, DEFAULTS, wordsOf;
var init_clip = __esm({
  "src/tokenizers/clip.ts"() {
    "use strict";
    init_errors();
    init_config();
    init_byte_pairs();
    init_token_values();
    init_unicode();
    WORDS = /<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;
    BYTE_LEVEL = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}+|[^\p{White_Space}\p{L}\p{N}]+/gu;
    END_OF_WORD = "</w>";
    DEFAULTS = {
      unk_token: "<|endoftext|>",
      bos_token: "<|startoftext|>",
      eos_token: "<|endoftext|>",
      pad_token: "<|endoftext|>"
    };
    wordsOf = (text3) => partsOf3(text3, WORDS).flatMap((word2) => partsOf3(word2, BYTE_LEVEL)).map(visibleBytes);
  }
});

// src/tokenizers/qwen2.ts
async function qwen2Scheme(folder2, gathered) {
  const { file, vocabulary, merges } = await readBytePairs(folder2);
  const merge = bytePairModel(merges);
  const prefix = prefixOf(folder2);
  const known = (word2) => [...word2].filter((symbol) => vocabulary.has(symbol)).join("");
  return {
    file,
    fields: { ...DEFAULTS2, ...gathered.fields },
    vocabulary: { size: vocabulary.size, idOf: (token) => vocabulary.get(token) },
    addsSpecialAgain: true,
    frame: (idOf) => frameOf(folder2, gathered, idOf),
    normalize: composed,
    tokens: (text3) => partsOf3(text3, PARTS).map((part) => known(visibleBytes(part.startsWith(" ") ? part : prefix + part))).filter((word2) => word2 !== "").flatMap((word2) => merge(word2).map((symbol) => ({ id: vocabulary.get(symbol), text: symbol })))
  };
}
function prefixOf({ config }) {
  const name = "add_prefix_space";
  const value = config.get(name) ?? false;
  if (typeof value === "boolean") return value ? " " : "";
  throw invalid2(config.file, `${name} must be true or false`, value);
}
function frameOf(folder2, { fields }, idOf) {
  if (folder2.definition)
    return processorFrame(folder2.definition.file, folder2.definition.fields["post_processor"]);
  const side = (flag2, role) => isTrue(fields[flag2]) && isTrue(role in fields ? fields[role] : DEFAULTS2[role]) ? [idOf(role)] : [];
  return { begin: side("add_bos_token", "bos_token"), end: side("add_eos_token", "eos_token") };
}
function processorFrame(file, processor) {
  if (processor === void 0 || processor === null) return EMPTY;
  const several = isObject(processor) && processor["type"] === "Sequence" ? processor["processors"] : void 0;
  const steps = Array.isArray(several) ? several : [processor];
  const [frame = EMPTY, second] = steps.map((step) => stepFrame(file, step)).filter(({ begin, end }) => begin.length + end.length > 0);
  if (second === void 0) return frame;
  throw new RetouchError("CHECKPOINT_UNSUPPORTED", `In ${file}, post_processor frames a text twice.`);
}
function stepFrame(file, step) {
  if (!isObject(step)) throw invalid2(file, "post_processor must be an object", step);
  const { type } = step;
  if (type === "ByteLevel") return EMPTY;
  if (type === "TemplateProcessing") return templateFrame(file, step);
  throw new RetouchError(
    "CHECKPOINT_UNSUPPORTED",
    `In ${file}, post_processor is ${shownValue(type)}; known are ByteLevel and TemplateProcessing.`
  );
}
function templateFrame(file, processor) {
  const { single, special_tokens: special } = processor;
  if (!Array.isArray(single) || !isObject(special)) {
    throw invalid2(file, "post_processor must have a list single and an object special_tokens", single);
  }
  const frame = { begin: [], end: [] };
  let hasText = false;
  for (const piece of single) {
    const [kind, value] = isObject(piece) ? Object.entries(piece)[0] ?? [] : [];
    if (kind === "Sequence" && !hasText) {
      hasText = true;
      continue;
    }
    const name = isObject(value) ? value["id"] : void 0;
    const token = typeof name === "string" && Object.hasOwn(special, name) ? special[name] : void 0;
    const ids = isObject(token) ? token["ids"] : void 0;
    if (kind !== "SpecialToken" || !Array.isArray(ids) || !ids.every((id) => Number.isInteger(id))) {
      throw invalid2(file, "post_processor.single must have the text once, and tokens with ids", piece);
    }
    frame[hasText ? "end" : "begin"].push(...ids);
  }
  if (!hasText) throw invalid2(file, "post_processor.single must have the text once", single);
  return frame;
}
var PARTS, DEFAULTS2, EMPTY, isTrue;
var init_qwen2 = __esm({
  "src/tokenizers/qwen2.ts"() {
    "use strict";
    init_errors();
    init_config();
    init_byte_pairs();
    init_check_definition();
    init_unicode();
    PARTS = /'(?:[sS\u017F]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|\p{White_Space}*[\r\n]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
    DEFAULTS2 = {
      unk_token: "<|endoftext|>",
      bos_token: null,
      eos_token: "<|endoftext|>",
      pad_token: "<|endoftext|>"
    };
    EMPTY = { begin: [], end: [] };
    isTrue = (value) => Boolean(value);
  }
});

// src/tokenizers/special-tokens.ts
function gatherFields(files) {
  const fields = { ...files.config };
  renameAdditional(fields);
  collectOwnRoles(fields);
  const added = /* @__PURE__ */ new Map();
  const byContent = /* @__PURE__ */ new Map();
  const add2 = (id, token) => {
    added.set(id, token);
    byContent.set(token.content, token);
  };
  if (Object.hasOwn(fields, "added_tokens_decoder")) readDecoder(files, add2);
  else readOlderFiles(files, fields, add2);
  for (const [name, value] of Object.entries(fields)) {
    if (name !== "added_tokens_decoder") fields[name] = convertToken(files.names.config, name, value);
  }
  for (const role of ROLES) {
    const content = contentOf(fields[role]);
    if (content !== void 0) fields[role] = byContent.get(content) ?? fields[role];
  }
  const ids = [...added.keys()];
  if (new Set(ids.map((id) => typeof id)).size > 1) {
    throw invalid2(
      files.names.addedTokens,
      "the ids must be numbers",
      ids.find((id) => typeof id === "string")
    );
  }
  const inOrder = [...added].toSorted(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
  return { fields, added: inOrder.map(([, token]) => token) };
}
function renameAdditional(fields) {
  if (!Object.hasOwn(fields, "additional_special_tokens") || isTruthy(fields["extra_special_tokens"])) return;
  fields["extra_special_tokens"] = fields["additional_special_tokens"];
  delete fields["additional_special_tokens"];
}
function collectOwnRoles(fields) {
  const own = {};
  for (const [name, value] of Object.entries(fields)) {
    if (!name.endsWith("_token") || typeof value !== "string" || isRole(name)) continue;
    own[name] = value;
    delete fields[name];
  }
  const extra = fields["extra_special_tokens"];
  if (isObject(extra)) {
    Object.assign(own, extra);
    delete fields["extra_special_tokens"];
  }
  if (Object.keys(own).length > 0) fields["model_specific_special_tokens"] = own;
}
function readDecoder(files, add2) {
  const file = files.names.config;
  const decoder = files.config["added_tokens_decoder"];
  if (!isObject(decoder)) throw invalid2(file, "added_tokens_decoder must be an object", decoder);
  for (const [id, value] of Object.entries(decoder)) {
    if (!/^[+-]?\d+$/.test(id))
      throw invalid2(file, "added_tokens_decoder must have numbers for names, and one", id);
    add2(Number(id), newToken(file, `added_tokens_decoder.${id}`, value));
  }
}
function readOlderFiles(files, fields, add2) {
  for (const [name, value] of Object.entries(files.specialTokens ?? {})) {
    fields[name] = fromSpecialTokens(files.names.specialTokens, name, value, fields[name]);
  }
  const extra = fields["extra_special_tokens"];
  if (isObject(extra)) {
    const own = fields["model_specific_special_tokens"];
    fields["model_specific_special_tokens"] = { ...isObject(own) ? own : {}, ...extra };
    delete fields["extra_special_tokens"];
  }
  const special = new Set(ROLES.map((role) => contentOf(fields[role])));
  const listed = fields["extra_special_tokens"];
  if (Array.isArray(listed)) for (const token of listed) special.add(contentOf(token));
  for (const [content, id] of Object.entries(files.addedTokens ?? {})) {
    if (typeof id !== "number" && typeof id !== "string") {
      throw invalid2(files.names.addedTokens, `${content} must be an id`, id);
    }
    const isSpecial = special.has(content);
    add2(id, newToken("", "", { content, special: isSpecial, normalized: !isSpecial }));
  }
  if (files.definition === void 0) return;
  const listedThere = files.definition["added_tokens"];
  if (!Array.isArray(listedThere))
    throw invalid2(files.names.definition, "added_tokens must be a list", listedThere);
  for (const { id, ...token } of listedThere) {
    add2(id, newToken(files.names.definition, `added_tokens (${id})`, token));
  }
}
function fromSpecialTokens(file, name, value, before) {
  if (name === "extra_special_tokens" && Array.isArray(value)) {
    const tokens = Array.isArray(before) ? [...before] : [];
    for (const item of value) {
      if (isObject(item) && Object.hasOwn(item, "special")) {
        throw invalid2(file, `${name} must not say what is special, and one`, item["special"]);
      }
      const token = isObject(item) ? newToken(file, name, { ...item, special: true }) : item;
      if (!tokens.some((known) => isSame(known, token))) tokens.push(token);
    }
    return tokens;
  }
  if (!isObject(value) || name === "extra_special_tokens") return value;
  return newToken(file, name, { ...value, special: true });
}
function specialTokens(file, { fields, added }) {
  const roles = /* @__PURE__ */ new Map();
  const own = {};
  for (const [name, value] of Object.entries(fields)) {
    if (isRole(name)) {
      if (value === null || value === void 0) continue;
      if (contentOf(value) === void 0)
        throw invalid2(file, `${name} must be a text, or an added token`, value);
      roles.set(name, value);
    } else if (name.endsWith("_token") && contentOf(value) !== void 0) own[name] = value;
  }
  const explicit = fields["model_specific_special_tokens"] ?? {};
  if (!isObject(explicit)) throw invalid2(file, "model_specific_special_tokens must be an object", explicit);
  const inOrder = /* @__PURE__ */ new Map();
  for (const role of ROLES) if (roles.has(role)) inOrder.set(role, roles.get(role));
  for (const [name, value] of Object.entries({ ...own, ...explicit })) {
    if (contentOf(value) === void 0)
      throw invalid2(file, `${name} must be a text, or an added token`, value);
    inOrder.set(name, value);
  }
  const listName = Object.hasOwn(fields, "extra_special_tokens") ? "extra_special_tokens" : "additional_special_tokens";
  const extra = fields[listName] ?? [];
  if (!Array.isArray(extra)) throw invalid2(file, `${listName} must be a list of tokens`, extra);
  const known = new Set(added.map(({ content }) => content));
  const tokens = [...added];
  for (const value of [...inOrder.values(), ...extra]) {
    const content = contentOf(value);
    if (content === void 0)
      throw invalid2(file, `${listName} must have texts or added tokens, and one`, value);
    if (!known.has(content) && !tokens.some((token) => isSame(token, value)))
      tokens.push(value);
  }
  const named = new Set([...inOrder.values()].map((value) => contentOf(value)));
  return {
    added: tokens.map((token) => asAdded(token, named.has(contentOf(token)))),
    roles: new Map([...inOrder].map(([name, value]) => [name, contentOf(value)]))
  };
}
var ROLES, isRole, isTruthy;
var init_special_tokens = __esm({
  "src/tokenizers/special-tokens.ts"() {
    "use strict";
    init_check_definition();
    init_token_values();
    ROLES = [
      "bos_token",
      "eos_token",
      "unk_token",
      "sep_token",
      "pad_token",
      "cls_token",
      "mask_token"
    ];
    isRole = (name) => ROLES.includes(name);
    isTruthy = (value) => Array.isArray(value) ? value.length > 0 : isObject(value) ? Object.keys(value).length > 0 : Boolean(value);
  }
});

// src/tokenizers/charsmap.ts
function readCharsmap(bytes2) {
  const trieBytes = bytes2.length < 4 ? 0 : bytes2.readUInt32LE(0);
  if (trieBytes === 0 || trieBytes % 4 !== 0 || 4 + trieBytes > bytes2.length) return void 0;
  const units = new Uint32Array(bytes2.buffer.slice(bytes2.byteOffset + 4, bytes2.byteOffset + 4 + trieBytes));
  const replacements = bytes2.subarray(4 + trieBytes);
  const replace = (part) => {
    const start = shortestMatch(units, Buffer.from(part, "utf8"));
    if (start === void 0) return void 0;
    const end = replacements.indexOf(0, start);
    return replacements.toString("utf8", start, end < 0 ? replacements.length : end);
  };
  const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
  return (text3) => {
    let result = "";
    for (const { segment } of segmenter.segment(text3)) {
      const whole = Buffer.byteLength(segment) < MAX_GRAPHEME_BYTES ? replace(segment) : void 0;
      result += whole ?? [...segment].map((character) => replace(character) ?? character).join("");
    }
    return result;
  };
}
function shortestMatch(units, bytes2) {
  let position = childrenOf(units[0] ?? 0);
  for (const byte of bytes2) {
    if (byte === 0) return void 0;
    position ^= byte;
    const unit = units[position];
    if (unit === void 0 || labelOf(unit) !== byte) return void 0;
    position ^= childrenOf(unit);
    if (hasLeaf(unit)) return (units[position] ?? 0) & 2147483647;
  }
  return void 0;
}
var MAX_GRAPHEME_BYTES, labelOf, hasLeaf, childrenOf;
var init_charsmap = __esm({
  "src/tokenizers/charsmap.ts"() {
    "use strict";
    MAX_GRAPHEME_BYTES = 6;
    labelOf = (unit) => (unit & 2147483903) >>> 0;
    hasLeaf = (unit) => (unit & 256) !== 0;
    childrenOf = (unit) => unit >>> 10 << ((unit & 512) >>> 6) >>> 0;
  }
});

// src/tokenizers/sentencepiece.ts
function readSentencePiece(bytes2) {
  const pieces = [];
  let charsmap;
  for (const { field, value } of fieldsOf(bytes2)) {
    if (field === 1 && Buffer.isBuffer(value)) pieces.push(parsePiece(value));
    if (pieces.length > MAX_VOCABULARY) throw new Error(`it has more than ${MAX_VOCABULARY} pieces`);
    if (field === 3 && Buffer.isBuffer(value)) {
      for (const inner of fieldsOf(value)) {
        if (inner.field === 2 && Buffer.isBuffer(inner.value)) charsmap = inner.value;
      }
    }
  }
  return { pieces, charsmap };
}
function parsePiece(bytes2) {
  const piece = { text: "", score: 0, type: 1 };
  for (const { field, value } of fieldsOf(bytes2)) {
    if (field === 1 && Buffer.isBuffer(value)) piece.text = value.toString("utf8");
    if (field === 2) piece.score = scoreOf(value);
    if (field === 3 && typeof value === "number") piece.type = value;
  }
  return piece;
}
function scoreOf(value) {
  const score = Buffer.isBuffer(value) && value.length === FLOAT_BYTES ? value.readFloatLE() : NaN;
  if (!Number.isFinite(score)) throw new Error("a piece has a score that is no number");
  return score;
}
function* fieldsOf(bytes2) {
  let offset = 0;
  const varint2 = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes2[offset];
      if (byte === void 0 || factor > 2 ** 56) throw new Error("it ends inside a number");
      offset += 1;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (offset < bytes2.length) {
    const key = varint2();
    const wire = key % 8;
    if (wire === 0) {
      yield { field: Math.floor(key / 8), value: varint2() };
      continue;
    }
    const length2 = wire === 2 ? varint2() : wire === 5 ? 4 : wire === 1 ? 8 : -1;
    if (length2 < 0 || offset + length2 > bytes2.length) throw new Error("it ends inside a field");
    yield { field: Math.floor(key / 8), value: bytes2.subarray(offset, offset + length2) };
    offset += length2;
  }
}
var FLOAT_BYTES, CONTROL, USER_DEFINED;
var init_sentencepiece = __esm({
  "src/tokenizers/sentencepiece.ts"() {
    "use strict";
    init_limits();
    FLOAT_BYTES = 4;
    CONTROL = 3;
    USER_DEFINED = 4;
  }
});

// src/tokenizers/unigram.ts
var UNKNOWN_PENALTY, Unigram;
var init_unigram = __esm({
  "src/tokenizers/unigram.ts"() {
    "use strict";
    init_trie();
    UNKNOWN_PENALTY = 10;
    Unigram = class {
      #pieces;
      #unknownId;
      #unknownScore;
      #ids = /* @__PURE__ */ new Map();
      #trie = new Trie();
      constructor(pieces, unknownId) {
        this.#pieces = pieces;
        this.#unknownId = unknownId;
        let minScore = Infinity;
        pieces.forEach(([text3, score], id) => {
          this.#ids.set(text3, id);
          this.#trie.set(text3, id);
          if (score < minScore) minScore = score;
        });
        this.#unknownScore = minScore - UNKNOWN_PENALTY;
      }
      get size() {
        return this.#pieces.length;
      }
      idOf(text3) {
        return this.#ids.get(text3);
      }
      /** Neighbouring unknown characters are one token. */
      tokens(word2) {
        const path15 = this.#bestPath(word2);
        const tokens = [];
        let unknown = "";
        const flush = () => {
          if (unknown !== "") tokens.push({ id: this.#ids.get(unknown) ?? this.#unknownId, text: unknown });
          unknown = "";
        };
        for (const { start, end, id } of path15) {
          if (id === this.#unknownId) {
            unknown += word2.slice(start, end);
            continue;
          }
          flush();
          tokens.push({ id, text: word2.slice(start, end) });
        }
        flush();
        return tokens;
      }
      #bestPath(word2) {
        const scores = new Float64Array(word2.length + 1);
        const starts = new Int32Array(word2.length + 1).fill(-1);
        const ids = new Int32Array(word2.length + 1);
        let start = 0;
        const offer = (end, score, id) => {
          const sum = score + scores[start];
          if (starts[end] !== -1 && !(sum > scores[end])) return;
          scores[end] = sum;
          starts[end] = start;
          ids[end] = id;
        };
        while (start < word2.length) {
          const next = start + (word2.codePointAt(start) > 65535 ? 2 : 1);
          let isKnown = false;
          this.#trie.eachAt(word2, start, (end, id) => {
            offer(end, this.#pieces[id][1], id);
            isKnown ||= end === next;
          });
          if (!isKnown) offer(next, this.#unknownScore, this.#unknownId);
          start = next;
        }
        const path15 = [];
        for (let end = word2.length; end > 0; end = starts[end])
          path15.push({ start: starts[end], end, id: ids[end] });
        return path15.toReversed();
      }
    };
  }
});

// src/tokenizers/t5.ts
async function t5Scheme(folder2, gathered) {
  const numExtraIds = extraIds(folder2, gathered.fields);
  const source = folder2.definition ? fromDefinition2(folder2, gathered.fields) : await fromModel(folder2, gathered.fields, numExtraIds);
  const { file, pieces } = source;
  if (pieces.length <= UNKNOWN_ID) {
    throw invalid2(file, `its vocabulary must have more than ${UNKNOWN_ID} pieces`, pieces.length);
  }
  const normalize = source.charsmap === void 0 ? (text3) => text3 : readCharsmap(source.charsmap);
  if (normalize === void 0) {
    throw new RetouchError("CHECKPOINT_INVALID", `The tokenizer file ${file} has a damaged character map.`);
  }
  const model2 = new Unigram(pieces, UNKNOWN_ID);
  const fields = { ...DEFAULTS3, ...source.fields };
  fields["additional_special_tokens"] = withPlaceholders(
    folder2,
    fields["additional_special_tokens"],
    numExtraIds
  );
  return {
    file,
    fields,
    vocabulary: model2,
    frame: (idOf) => ({ begin: [], end: [idOf("eos_token")] }),
    normalize,
    tokens: (text3) => wordsOf2(text3).flatMap((word2) => model2.tokens(word2))
  };
}
function extraIds({ tokens }, fields) {
  const count = Object.hasOwn(fields, "extra_ids") ? fields["extra_ids"] : DEFAULT_EXTRA_IDS;
  if (isWhole({ min: -MAX_EXTRA_IDS, max: MAX_EXTRA_IDS })(count)) return Math.max(0, count);
  throw invalid2(tokens.names.config, `extra_ids must be a whole number from 0 to ${MAX_EXTRA_IDS}`, count);
}
function withPlaceholders({ tokens }, listed, count) {
  const file = tokens.names.config;
  const own = listed ?? [];
  if (!Array.isArray(own)) throw invalid2(file, "additional_special_tokens must be a list of tokens", own);
  const present = own.filter((token) => contentOf(token)?.includes("<extra_id_")).length;
  if (present === 0)
    return [...own, ...Array.from({ length: count }, (_, index) => placeholder(index))];
  if (count > 0 && count !== present) {
    throw invalid2(
      file,
      `additional_special_tokens has ${present} placeholders, extra_ids must be as many`,
      count
    );
  }
  return own;
}
function fromDefinition2({ definition, config }, fields) {
  const { file, fields: json } = definition;
  const { vocab } = json["model"];
  if (!Array.isArray(vocab)) throw invalid2(file, "model.vocab must be a list of pieces and scores", vocab);
  const charsmap = charsmapOf(file, json["normalizer"]);
  const name = "_spm_precompiled_charsmap";
  const given = config.get(name);
  if (charsmap === void 0 && given !== void 0)
    throw invalid2(config.file, `${name} cannot come from a file`, given);
  return { file, pieces: vocab, charsmap, fields };
}
function charsmapOf(file, normalizer) {
  if (!isObject(normalizer)) return void 0;
  const steps = normalizer["type"] === "Sequence" ? normalizer["normalizers"] : [normalizer];
  if (!Array.isArray(steps)) throw invalid2(file, "normalizer.normalizers must be a list", steps);
  const step = steps.find((each) => isObject(each) && each["type"] === "Precompiled");
  if (!isObject(step) || !Object.hasOwn(step, "precompiled_charsmap")) return void 0;
  const charsmap = step["precompiled_charsmap"];
  if (typeof charsmap === "string") return Buffer.from(charsmap, "base64");
  throw invalid2(file, "normalizer.precompiled_charsmap must be a text", charsmap);
}
async function fromModel(folder2, fields, numExtraIds) {
  const name = folder2.modelName(MODEL);
  const file = folder2.path(name);
  const bytes2 = await folder2.bytes(name);
  let model2;
  try {
    model2 = readSentencePiece(bytes2);
  } catch (cause) {
    const message2 = `The checkpoint file ${file} is damaged: ${messageOf(cause)}.`;
    throw new RetouchError("CHECKPOINT_INVALID", message2, { cause });
  }
  const extra = Array.from({ length: numExtraIds }, (_, index) => [placeholder(index), 0]);
  const found = model2.pieces.filter(({ type }) => type === CONTROL || type === USER_DEFINED);
  const listed = found.map(
    ({ text: text3, type }) => newToken(file, "a piece", { content: text3, normalized: false, special: type === CONTROL })
  );
  const pieces = [
    ...model2.pieces.map(({ text: text3, score }) => [text3, score]),
    ...extra.toReversed()
  ];
  if (pieces.length > MAX_VOCABULARY)
    throw invalid2(file, `it must have up to ${MAX_VOCABULARY} pieces`, pieces.length);
  return {
    file,
    pieces,
    charsmap: model2.charsmap?.length === 0 ? void 0 : model2.charsmap,
    fields: { ...fields, additional_special_tokens: listed }
  };
}
var MODEL, DEFAULTS3, DEFAULT_EXTRA_IDS, MAX_EXTRA_IDS, UNKNOWN_ID, SPACE_MARK, placeholder, wordsOf2;
var init_t5 = __esm({
  "src/tokenizers/t5.ts"() {
    "use strict";
    init_errors();
    init_config();
    init_limits();
    init_charsmap();
    init_check_definition();
    init_sentencepiece();
    init_token_values();
    init_unigram();
    MODEL = "spiece.model";
    DEFAULTS3 = { eos_token: "</s>", unk_token: "<unk>", pad_token: "<pad>" };
    DEFAULT_EXTRA_IDS = 100;
    MAX_EXTRA_IDS = 1e4;
    UNKNOWN_ID = 2;
    SPACE_MARK = "\u2581";
    placeholder = (index) => `<extra_id_${index}>`;
    wordsOf2 = (text3) => text3.split(/\p{White_Space}+/u).filter((word2) => word2 !== "").flatMap((word2) => (word2.startsWith(SPACE_MARK) ? word2 : SPACE_MARK + word2).match(/▁[^▁]*/gu) ?? []);
  }
});

// src/tokenizers/tokenizer.ts
async function familyOf(checkpoint, component) {
  const index = await checkpoint.config("model_index.json");
  const entry2 = index.get(component);
  const name = Array.isArray(entry2) ? entry2[1] : void 0;
  if (name === void 0 || name === null) return void 0;
  const family = typeof name === "string" && Object.hasOwn(CLASSES, name) ? CLASSES[name] : void 0;
  if (family !== void 0) return family;
  throw new RetouchError(
    "CHECKPOINT_UNSUPPORTED",
    `In ${index.file}, ${component} is a ${shownValue(name)}; a CLIPTokenizer, a T5Tokenizer or a Qwen2Tokenizer is wanted.`
  );
}
function maxLengthOf(config) {
  const name = Object.hasOwn(config.fields, "model_max_length") ? "model_max_length" : "max_len";
  const value = config.get(name) ?? Infinity;
  return typeof value === "number" && value > UNLIMITED ? Infinity : config.count(name, UNLIMITED);
}
var SCHEMES, CLASSES, UNLIMITED, isId2, Tokenizer;
var init_tokenizer = __esm({
  "src/tokenizers/tokenizer.ts"() {
    "use strict";
    init_errors();
    init_config();
    init_limits();
    init_added_vocabulary();
    init_check_definition();
    init_clip();
    init_folder();
    init_qwen2();
    init_special_tokens();
    init_t5();
    SCHEMES = { clip: clipScheme, t5: t5Scheme, qwen2: qwen2Scheme };
    CLASSES = {
      CLIPTokenizer: "clip",
      CLIPTokenizerFast: "clip",
      T5Tokenizer: "t5",
      T5TokenizerFast: "t5",
      Qwen2Tokenizer: "qwen2",
      Qwen2TokenizerFast: "qwen2"
    };
    UNLIMITED = 1e9;
    isId2 = isWhole({ min: 0, max: MAX_VOCABULARY });
    Tokenizer = class _Tokenizer {
      /** The longest text, in tokens, that the checkpoint allows; Infinity if it sets no limit. */
      maxLength;
      /** The file that contains the vocabulary. */
      file;
      /** The texts of the special tokens that have names. */
      roles;
      #scheme;
      #added;
      #frame;
      #pad;
      #sides;
      constructor(folder2, scheme, added, roles) {
        this.file = scheme.file;
        this.roles = roles;
        this.maxLength = maxLengthOf(folder2.config);
        this.#scheme = scheme;
        this.#added = added;
        this.#sides = { padding: folder2.side("padding_side"), truncation: folder2.side("truncation_side") };
        const idOf = (role) => {
          const token = roles.get(role);
          if (token === void 0) throw invalid2(folder2.config.file, `${role} must be a token`, null);
          const id = added.idOf(token) ?? added.idOf(roles.get("unk_token") ?? "");
          if (isId2(id)) return id;
          throw invalid2(folder2.config.file, `${role} must be in the vocabulary`, token);
        };
        this.#frame = scheme.frame(idOf);
        this.#pad = idOf("pad_token");
      }
      /**
       * Reads the tokenizer of a component folder, as the class does that `model_index.json` names.
       * @param family what the component is taken for if the index names no class
       * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming the file.
       */
      static async read(checkpoint, component, family) {
        const makeScheme = SCHEMES[await familyOf(checkpoint, component) ?? family];
        const folder2 = await TokenizerFolder.open(checkpoint, component);
        const gathered = gatherFields(folder2.tokens);
        const scheme = await makeScheme(folder2, gathered);
        const { added, roles } = specialTokens(folder2.config.file, { ...gathered, fields: scheme.fields });
        const { split_special_tokens: splitSpecial = false } = folder2.config.fields;
        if (typeof splitSpecial !== "boolean") {
          throw invalid2(folder2.config.file, "split_special_tokens must be true or false", splitSpecial);
        }
        const normalize = (text3) => scheme.normalize(text3);
        const vocabulary = new AddedVocabulary(added, { vocabulary: scheme.vocabulary, normalize, splitSpecial });
        return new _Tokenizer(folder2, scheme, vocabulary, roles);
      }
      /**
       * Encodes `text` to exactly `length` ids, with numbered tokens in the place of those that they belong to. Whatever
       * does not fit is cut off before the end token, or at the beginning if the folder says so.
       * @throws RetouchError CHECKPOINT_INVALID if the vocabulary fails on this text
       */
      encode(text3, length2) {
        return this.encodeAsIs(this.#withNumbered(text3), length2);
      }
      /** As {@link encode}, but nothing in the text is replaced. */
      encodeAsIs(text3, length2) {
        const { begin, end } = this.#frame;
        const whole = this.#tokens(text3).map(({ id }) => id);
        const room = Math.max(0, length2 - begin.length - end.length);
        const isCut = whole.length > room;
        const kept = !isCut ? whole : this.#sides.truncation === "right" ? whole.slice(0, room) : whole.slice(-room || whole.length);
        const ids = [...begin, ...kept, ...end].slice(-length2);
        const padding = Array(length2 - ids.length).fill(this.#pad);
        const padded = this.#sides.padding === "right" ? [...ids, ...padding] : [...padding, ...ids];
        return { ids: padded, numTokens: ids.length, isCut };
      }
      #tokens(text3) {
        return this.#added.split(text3).flatMap((part) => typeof part === "string" ? this.#scheme.tokens(part) : [part]);
      }
      /**
       * Puts `<x> <x>_1 <x>_2` in the place of `<x>` if those are added tokens: embeddings of several vectors are kept like
       * this, and diffusers' pipelines replace them so.
       */
      #withNumbered(text3) {
        const found = new Set(this.#tokens(text3).map((token) => token.text));
        let result = text3;
        for (const token of found) {
          if (!this.#added.has(token)) continue;
          let replacement = token;
          for (let index = 1; this.#added.has(`${token}_${index}`); index += 1)
            replacement += ` ${token}_${index}`;
          result = result.replaceAll(token, () => replacement);
        }
        return result;
      }
    };
  }
});

// src/sampling/beta-quantile.ts
function betaQuantile(probability, a) {
  if (probability === 0 || probability === 1 || probability === 0.5) return probability;
  return probability > 0.5 ? 1 - lowerQuantile(1 - probability, a) : lowerQuantile(probability, a);
}
function lowerQuantile(probability, a) {
  const unit = 2 * lowerIntegral(0.5, a);
  let [low, high] = [0, 0.5];
  let x = Math.min(0.5, (probability * unit * a) ** (1 / a));
  for (let step = 0; step < MAX_STEPS2; step += 1) {
    const excess = lowerIntegral(x, a) / unit - probability;
    if (excess > 0) high = x;
    else low = x;
    const slope = x * (x * (1 - x)) ** (a - 1) / unit;
    const newton = x * Math.exp(-excess / slope);
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - x) <= Number.EPSILON * x) return next;
    x = next;
  }
  return x;
}
function lowerIntegral(x, a) {
  let coefficient = 1;
  let sum = 0;
  for (let term = 0; term < TERMS; term += 1) {
    sum += coefficient / (a + term);
    coefficient *= x * (term + 1 - a) / (term + 1);
  }
  return x ** a * sum;
}
var TERMS, MAX_STEPS2;
var init_beta_quantile = __esm({
  "src/sampling/beta-quantile.ts"() {
    "use strict";
    TERMS = 60;
    MAX_STEPS2 = 100;
  }
});

// src/sampling/spacing.ts
function linspace(start, end, count) {
  const step = (end - start) / Math.max(1, count - 1);
  return Array.from(
    { length: count },
    (_, index) => index > 0 && index === count - 1 ? end : index * step + start
  );
}
var RHO, BETA, SPACINGS;
var init_spacing = __esm({
  "src/sampling/spacing.ts"() {
    "use strict";
    init_beta_quantile();
    RHO = 7;
    BETA = 0.6;
    SPACINGS = {
      karras(max, min, count) {
        const [top, bottom] = [max ** (1 / RHO), min ** (1 / RHO)];
        return linspace(0, 1, count).map((ramp) => (top + ramp * (bottom - top)) ** RHO);
      },
      exponential: (max, min, count) => linspace(Math.log(max), Math.log(min), count).map(Math.exp),
      beta: (max, min, count) => linspace(0, 1, count).map((ramp) => min + betaQuantile(1 - ramp, BETA) * (max - min))
    };
  }
});

// src/sampling/flow-match.ts
function flowMatchLevels(straight, options) {
  const shifted2 = straight.map((sigma) => shiftedLevel(fround2(sigma), options.shift));
  const stretched = options.shiftTerminal === 0 ? shifted2 : stretch(shifted2, options.shiftTerminal);
  const { spacing, sigmaMin = stretched.at(-1), sigmaMax = stretched[0] } = options;
  const spaced = spacing ? SPACINGS[spacing](sigmaMax, sigmaMin, stretched.length) : stretched;
  const levels = spaced.map((sigma) => options.isInverted ? fround2(1 - fround2(sigma)) : fround2(sigma));
  return {
    sigmas: Float32Array.of(...levels, options.isInverted ? 1 : 0),
    timesteps: Float32Array.from(levels, (sigma) => timestepOf(sigma, options))
  };
}
function shiftedLevel(sigma, shift) {
  if (shift.kind === "fixed") {
    const [factor2, less] = [fround2(shift.factor), fround2(shift.factor - 1)];
    return fround2(fround2(factor2 * sigma) / fround2(1 + fround2(less * sigma)));
  }
  const factor = fround2(shift.kind === "exponential" ? Math.exp(shift.mu) : shift.mu);
  return fround2(factor / fround2(factor + fround2(fround2(1 / sigma) - 1)));
}
function stretch(levels, terminal) {
  const missing = levels.map((level) => fround2(1 - level));
  const scale = fround2(missing.at(-1) / fround2(1 - terminal));
  return missing.map((one2) => fround2(1 - fround2(one2 / scale)));
}
var PIPELINE_TIMESTEPS, fround2, timestepOf;
var init_flow_match = __esm({
  "src/sampling/flow-match.ts"() {
    "use strict";
    init_spacing();
    PIPELINE_TIMESTEPS = 1e3;
    ({ fround: fround2 } = Math);
    timestepOf = (sigma, { numTrainTimesteps }) => fround2(fround2(sigma * numTrainTimesteps) / PIPELINE_TIMESTEPS);
  }
});

// src/pipelines/shared/noise-schedule.ts
function readScheduleConfig(given) {
  const config = chosenFields(given);
  const shiftKind = config.string("time_shift_type", "exponential");
  if (shiftKind !== "exponential" && shiftKind !== "linear") {
    throw config.invalid("time_shift_type", '"exponential" or "linear"');
  }
  return {
    shift: config.number("shift", 1),
    isDynamic: flag(config, "use_dynamic_shifting"),
    shiftKind,
    shiftTerminal: config.number("shift_terminal", 0),
    spacing: spacingOf(config),
    ...endsOf(config),
    isInverted: flag(config, "invert_sigmas"),
    isStochastic: flag(config, "stochastic_sampling"),
    numTrainTimesteps: config.count("num_train_timesteps", MAX_TRAIN_TIMESTEPS, 1e3)
  };
}
function endsOf(config) {
  const end = (name) => config.get(name) === void 0 ? void 0 : config.number(name);
  return { sigmaMin: end("sigma_min"), sigmaMax: end("sigma_max") };
}
function chosenFields({ file, fields }) {
  const { _use_default_values: listed = [], ...others } = fields;
  const isKept = ([name]) => !(Array.isArray(listed) && listed.includes(name));
  return new Config(file, Object.fromEntries(Object.entries(others).filter(isKept)));
}
function flag(config, name) {
  const value = config.get(name);
  if (value === 0 || value === 1) return value === 1;
  return config.boolean(name, false);
}
function spacingOf(config) {
  const chosen2 = Object.keys(SPACING_FIELDS).filter((name) => flag(config, name));
  if (chosen2.length > 1) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, only one of ${chosen2.join(" and ")} can be true.`
    );
  }
  return SPACING_FIELDS[chosen2[0] ?? ""];
}
function noiseLevels(config, { numSteps, sigmas }, mu) {
  const straight = sigmas ?? linspace(1, 1 / numSteps, numSteps);
  const levels = flowMatchLevels(straight, {
    ...config,
    shift: config.isDynamic ? { kind: config.shiftKind, mu } : { kind: "fixed", factor: config.shift }
  });
  if (![...levels.sigmas, ...levels.timesteps].every(Number.isFinite)) {
    const reason = "the checkpoint's scheduler gives no noise levels for it";
    throw invalid("forbidden", {
      field: sigmas ? "sigmas" : "numSteps",
      given: shownValue(sigmas ?? numSteps),
      reason
    });
  }
  return levels;
}
var SPACING_FIELDS, MAX_TRAIN_TIMESTEPS;
var init_noise_schedule = __esm({
  "src/pipelines/shared/noise-schedule.ts"() {
    "use strict";
    init_errors();
    init_flow_match();
    init_spacing();
    init_config();
    SPACING_FIELDS = {
      use_karras_sigmas: "karras",
      use_exponential_sigmas: "exponential",
      use_beta_sigmas: "beta"
    };
    MAX_TRAIN_TIMESTEPS = 1e9;
  }
});

// src/pipelines/flux1-kontext/schedule.ts
function readScheduleConfig2(given) {
  const config = chosenFields(given);
  const baseTokens = config.number("base_image_seq_len", 256);
  const maxTokens = config.number("max_image_seq_len", 4096);
  if (baseTokens === maxTokens) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, base_image_seq_len and max_image_seq_len must differ; both are ${maxTokens}.`
    );
  }
  return {
    ...readScheduleConfig(given),
    baseShift: config.number("base_shift", 0.5),
    maxShift: config.number("max_shift", 1.15),
    baseTokens,
    maxTokens
  };
}
function timeShift(config, numTokens) {
  const slope = (config.maxShift - config.baseShift) / (config.maxTokens - config.baseTokens);
  return numTokens * slope + (config.baseShift - slope * config.baseTokens);
}
var levelsOf;
var init_schedule = __esm({
  "src/pipelines/flux1-kontext/schedule.ts"() {
    "use strict";
    init_errors();
    init_noise_schedule();
    levelsOf = (config, wanted, numTokens) => noiseLevels(config, wanted, timeShift(config, numTokens));
  }
});

// src/models/activation.ts
function readActivation(config, field, fallback) {
  return activationOf(TRANSFORMERS, config, field, config.string(field, fallback));
}
function readDiffusersActivation(config, field, fallback) {
  return activationOf(DIFFUSERS, config, field, config.string(field, fallback).toLowerCase());
}
function activationOf(table, config, field, name) {
  const activation = Object.hasOwn(table, name) ? table[name] : void 0;
  if (activation) return activation;
  throw new RetouchError(
    "CHECKPOINT_UNSUPPORTED",
    `In ${config.file}, ${field} is ${name}; known are ${Object.keys(table).join(", ")}.`
  );
}
var exactGelu, tanhGelu, mish, scaled, shifted, LAPLACE_MEAN, LAPLACE_DEVIATION, LEAKY_SLOPE, TRANSFORMERS, DIFFUSERS;
var init_activation = __esm({
  "src/models/activation.ts"() {
    "use strict";
    init_errors();
    init_graph();
    init_ops();
    exactGelu = (x) => gelu(x, { approximate: false });
    tanhGelu = (x) => gelu(x, { approximate: true });
    mish = (x) => mul(x, tanh(softplus(x)));
    scaled = (x, factor) => mul(x, scalar(factor));
    shifted = (x, term) => add(x, scalar(term));
    LAPLACE_MEAN = 0.707107;
    LAPLACE_DEVIATION = 0.282095;
    LEAKY_SLOPE = 0.01;
    TRANSFORMERS = {
      gelu: exactGelu,
      gelu_10: (x) => clip(exactGelu(x), -10, 10),
      gelu_accurate: tanhGelu,
      gelu_fast: tanhGelu,
      gelu_new: tanhGelu,
      gelu_python: exactGelu,
      gelu_python_tanh: tanhGelu,
      gelu_pytorch_tanh: tanhGelu,
      hardswish: (x) => mul(x, scaled(clip(shifted(x, 3), 0, 6), 1 / 6)),
      laplace(x) {
        const normed = scaled(shifted(x, -LAPLACE_MEAN), 1 / (LAPLACE_DEVIATION * Math.SQRT2));
        return scaled(shifted(erf(normed), 1), 0.5);
      },
      leaky_relu: (x) => sub(relu(x), scaled(relu(scaled(x, -1)), LEAKY_SLOPE)),
      linear: (x) => x,
      mish,
      quick_gelu: quickGelu,
      relu,
      relu2: (x) => mul(relu(x), relu(x)),
      relu6: (x) => clip(x, 0, 6),
      sigmoid,
      silu,
      sqrtsoftplus: (x) => sqrt(softplus(x)),
      swish: silu,
      tanh
    };
    DIFFUSERS = {
      gelu: exactGelu,
      mish,
      relu,
      silu,
      swish: silu
    };
  }
});

// src/models/autoencoders/autoencoder-config.ts
function readAutoencoderConfig(config) {
  const fields = config.withNulls();
  const scalingFactor = fields.number("scaling_factor", 0.18215);
  if (scalingFactor === 0) throw fields.invalid("scaling_factor", "another number than 0");
  return {
    ...readAutoencoderSizes(config, { widths: [64], layersPerBlock: 1, latentChannels: 4 }),
    scalingFactor,
    // The class's default is null, with which its pipeline fails; nothing is subtracted then.
    shiftFactor: config.number("shift_factor", 0)
  };
}
function readAutoencoderSizes(config, defaults, decoderField) {
  const fields = config.withNulls();
  const widthsOf = (name) => fields.counts(name, { max: MAX_WIDTH, maxLength: MAX_LEVELS }, defaults.widths);
  const widths = widthsOf("block_out_channels");
  const hasOwn = decoderField !== void 0 && fields.truth(decoderField, false);
  const decoderWidths2 = hasOwn ? widthsOf(decoderField) : widths;
  if (decoderWidths2.length !== widths.length) {
    throw fields.invalid(decoderField, `a list of ${widths.length} widths, as block_out_channels is,`);
  }
  const numGroups = fields.count("norm_num_groups", MAX_WIDTH, 32);
  const layersPerBlock = fields.wholeNumber("layers_per_block", MAX_LAYERS, defaults.layersPerBlock);
  assertGroups(fields, "block_out_channels", widths, numGroups);
  if (hasOwn) assertGroups(fields, decoderField, decoderWidths2, numGroups);
  if (fields.count("in_channels", MAX_WIDTH, 3) !== 3) {
    throw new RetouchError("CHECKPOINT_UNSUPPORTED", `In ${config.file}, in_channels must be 3.`);
  }
  const outChannels = fields.count("out_channels", MAX_WIDTH, 3);
  if (outChannels !== 3 && outChannels !== 1) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${config.file}, out_channels must be 3, or 1 for grey images, and is ${outChannels}.`
    );
  }
  if (layersPerBlock === 0 && widths.some((width) => width !== widths[0])) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, layers_per_block is 0, so all of block_out_channels (${widths.join(", ")}) must be equal.`
    );
  }
  const numLevels = defaults.widths.length;
  return {
    latentChannels: fields.count("latent_channels", MAX_LATENT_CHANNELS, defaults.latentChannels),
    widths,
    decoderWidths: decoderWidths2,
    downKinds: levelKinds(fields, "down_block_types", DOWN_BLOCKS, widths, numLevels),
    upKinds: levelKinds(fields, "up_block_types", UP_BLOCKS, decoderWidths2.toReversed(), numLevels),
    layersPerBlock,
    activation: readDiffusersActivation(fields, "act_fn", "silu"),
    numGroups,
    hasMidAttention: fields.truth("mid_block_add_attention", true),
    hasQuantConv: fields.truth("use_quant_conv", true),
    hasPostQuantConv: fields.truth("use_post_quant_conv", true),
    outChannels,
    sampleSize: readSampleSize(fields),
    scaleFactor: 2 ** (widths.length - 1)
  };
}
function assertGroups({ file }, name, widths, numGroups) {
  if (widths.every((width) => width % numGroups === 0)) return;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `In ${file}, norm_num_groups (${numGroups}) must divide all of ${name} (${widths.join(", ")}).`
  );
}
function levelKinds(config, name, known, widths, numUsual) {
  const [usual] = Object.keys(known);
  const given = config.get(name);
  const types = given === void 0 ? Array(numUsual).fill(usual) : given;
  const isFitting2 = Array.isArray(types) && types.length > 0 && (types.length === widths.length || types.length === widths.length - 1 && widths.at(-1) === widths.at(-2));
  if (!isFitting2)
    throw config.invalid(name, `a list of ${widths.length} block types, one for each of block_out_channels,`);
  return types.map((type) => {
    const block = String(type).replace(OLD_PREFIX, "");
    const kind = Object.hasOwn(known, block) ? known[block] : void 0;
    if (kind !== void 0) return kind;
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${config.file}, ${name} must name ${anyOf(Object.keys(known))} at every level.`
    );
  });
}
function readSampleSize(config) {
  const value = config.get("sample_size");
  const first = Array.isArray(value) ? value[0] : value;
  const fields = new Config(config.file, { sample_size: first }, { isNullKept: true });
  const side = fields.wholeNumber("sample_size", MAX_SAMPLE_SIZE, PUBLISHED_SAMPLE_SIZE);
  return side === 0 || side === UNKNOWN_SAMPLE_SIZE ? PUBLISHED_SAMPLE_SIZE : side;
}
var OLD_PREFIX, DOWN_BLOCKS, UP_BLOCKS, UNKNOWN_SAMPLE_SIZE, PUBLISHED_SAMPLE_SIZE;
var init_autoencoder_config = __esm({
  "src/models/autoencoders/autoencoder-config.ts"() {
    "use strict";
    init_errors();
    init_config();
    init_limits();
    init_activation();
    OLD_PREFIX = /^UNetRes/;
    DOWN_BLOCKS = {
      DownEncoderBlock2D: "plain",
      AttnDownEncoderBlock2D: "attention"
    };
    UP_BLOCKS = {
      UpDecoderBlock2D: "plain",
      AttnUpDecoderBlock2D: "attention"
    };
    UNKNOWN_SAMPLE_SIZE = 32;
    PUBLISHED_SAMPLE_SIZE = 1024;
  }
});

// src/models/autoencoders/flux2-autoencoder-config.ts
function readFlux2AutoencoderConfig(config) {
  const fields = config.withNulls();
  const sizes = readAutoencoderSizes(
    config,
    { widths: [128, 256, 512, 512], layersPerBlock: 2, latentChannels: 32 },
    "decoder_block_out_channels"
  );
  const patch = fields.get("patch_size") ?? [PATCH_SIDE, PATCH_SIDE];
  const isSquare = Array.isArray(patch) && patch.length === 2 && patch.every((side) => side === PATCH_SIDE);
  if (!isSquare) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${config.file}, patch_size is ${shownValue(patch)}; FLUX.2's pipelines work on patches of [${PATCH_SIDE},${PATCH_SIDE}].`
    );
  }
  return { ...sizes, batchNormEpsilon: fields.numberWithin("batch_norm_eps", { min: 0, max: 1 }, 1e-4) };
}
var PATCH_SIDE;
var init_flux2_autoencoder_config = __esm({
  "src/models/autoencoders/flux2-autoencoder-config.ts"() {
    "use strict";
    init_errors();
    init_config();
    init_autoencoder_config();
    PATCH_SIDE = 2;
  }
});

// src/models/layouts/autoencoder-sizes.ts
function fieldsOf2(file, names) {
  const { down, blocks, attention: attention2, quantConv, postQuantConv } = names;
  const levels = levelsBelow(file, down);
  const hasOneOf = (layers) => layers.some((name) => file.has(`${name}.weight`));
  return {
    in_channels: file.dimension("encoder.conv_in.weight", 1),
    latent_channels: file.dimension("decoder.conv_in.weight", 1),
    block_out_channels: levels.map((level) => levelWidth(file, `${down}.${level}.${blocks}`)),
    out_channels: file.dimension("decoder.conv_out.weight", 0),
    down_block_types: levels.map(() => "DownEncoderBlock2D"),
    up_block_types: levels.map(() => "UpDecoderBlock2D"),
    layers_per_block: file.countBelow(`${down}.0.${blocks}`),
    mid_block_add_attention: file.has(`${attention2}.weight`),
    use_quant_conv: hasOneOf(quantConv),
    use_post_quant_conv: hasOneOf(postQuantConv)
  };
}
function decoderWidths(file, { up, blocks, isUpFinestFirst }) {
  const widths = levelsBelow(file, up).map((level) => levelWidth(file, `${up}.${level}.${blocks}`));
  return isUpFinestFirst ? widths : widths.toReversed();
}
var ORIGINAL, DIFFUSERS2, PUBLISHED, sizesOf, originalAutoencoderSizes, diffusersAutoencoderSizes, flux2SizesOf, originalFlux2AutoencoderSizes, diffusersFlux2AutoencoderSizes, configOf, levelsBelow, levelWidth;
var init_autoencoder_sizes = __esm({
  "src/models/layouts/autoencoder-sizes.ts"() {
    "use strict";
    init_config();
    init_autoencoder_config();
    init_flux2_autoencoder_config();
    ORIGINAL = {
      down: "encoder.down",
      up: "decoder.up",
      blocks: "block",
      attention: "encoder.mid.attn_1.norm",
      quantConv: ["quant_conv", "encoder.quant_conv"],
      postQuantConv: ["post_quant_conv", "decoder.post_quant_conv"],
      isUpFinestFirst: true
    };
    DIFFUSERS2 = {
      down: "encoder.down_blocks",
      up: "decoder.up_blocks",
      blocks: "resnets",
      attention: "encoder.mid_block.attentions.0.group_norm",
      quantConv: ["quant_conv"],
      postQuantConv: ["post_quant_conv"],
      isUpFinestFirst: false
    };
    PUBLISHED = { norm_num_groups: 32, scaling_factor: 0.3611, shift_factor: 0.1159, sample_size: 1024 };
    sizesOf = (names) => (file, folder2) => readAutoencoderConfig(
      configOf(file, folder2, { ...folder2?.fields ?? PUBLISHED, ...fieldsOf2(file, names) })
    );
    originalAutoencoderSizes = sizesOf(ORIGINAL);
    diffusersAutoencoderSizes = sizesOf(DIFFUSERS2);
    flux2SizesOf = (names) => (file, folder2) => readFlux2AutoencoderConfig(
      configOf(file, folder2, {
        ...folder2?.fields,
        ...fieldsOf2(file, names),
        decoder_block_out_channels: decoderWidths(file, names)
      })
    );
    originalFlux2AutoencoderSizes = flux2SizesOf(ORIGINAL);
    diffusersFlux2AutoencoderSizes = flux2SizesOf(DIFFUSERS2);
    configOf = (file, folder2, fields) => new Config(folder2?.file ?? file.file, fields);
    levelsBelow = (file, prefix) => Array.from({ length: file.countBelow(prefix) }, (_, level) => level);
    levelWidth = (file, blocks) => file.dimension(`${blocks}.0.conv1.weight`, 0);
  }
});

// src/models/layouts/file-networks.ts
var ORIGINAL_MODULATION, OWN_MODULATION, ORIGINAL_LEVEL, OWN_LEVEL, BATCH_STATISTICS, UNUSED, NETWORKS, wantedOf;
var init_file_networks = __esm({
  "src/models/layouts/file-networks.ts"() {
    "use strict";
    ORIGINAL_MODULATION = /^(?:double_stream_modulation_(?:img|txt)|single_stream_modulation)\.lin\./;
    OWN_MODULATION = /^(?:double_stream_modulation_(?:img|txt)|single_stream_modulation)\.linear\./;
    ORIGINAL_LEVEL = /^(?:encoder\.down|decoder\.up)\.\d+\./;
    OWN_LEVEL = /^(?:encoder\.down_blocks|decoder\.up_blocks)\.\d+\./;
    BATCH_STATISTICS = /^bn\.running_(?:mean|var)$/;
    UNUSED = /^(?:logit_scale|text_projection(?:\.weight)?|lm_head\.weight|decoder\..+|(?:.+\.)?position_ids)$/;
    NETWORKS = {
      transformer: {
        text: "a transformer",
        folder: "transformer",
        prefixes: ["model.diffusion_model.", "diffusion_model."],
        layouts: [
          {
            name: "FLUX.2's original transformer",
            model: "FLUX.2",
            signs: [ORIGINAL_MODULATION]
          },
          {
            name: "FLUX.2's transformer of diffusers",
            model: "FLUX.2",
            signs: [OWN_MODULATION],
            isOwn: true
          },
          {
            name: "the original transformer",
            model: "FLUX.1",
            signs: [/^(?:double_blocks|single_blocks)\.\d+\./]
          },
          {
            name: "diffusers' transformer",
            model: "FLUX.1",
            signs: [/^(?:single_)?transformer_blocks\.\d+\.(?:attn|norm)/],
            isOwn: true
          }
        ]
      },
      vae: {
        text: "an autoencoder",
        folder: "vae",
        prefixes: ["first_stage_model.", "vae."],
        layouts: [
          {
            name: "FLUX.2's original autoencoder",
            model: "FLUX.2",
            signs: [BATCH_STATISTICS, ORIGINAL_LEVEL]
          },
          {
            name: "FLUX.2's autoencoder of diffusers",
            model: "FLUX.2",
            signs: [BATCH_STATISTICS, OWN_LEVEL],
            isOwn: true
          },
          { name: "the original autoencoder", model: "FLUX.1", signs: [ORIGINAL_LEVEL] },
          { name: "diffusers' autoencoder", model: "FLUX.1", signs: [OWN_LEVEL], isOwn: true }
        ],
        // A count of what the statistics were taken of.
        unused: /^bn\.num_batches_tracked$/
      },
      t5: {
        text: "a T5 encoder",
        folder: "text_encoder_2",
        prefixes: ["text_encoders.t5xxl.transformer.", "text_encoders.t5xxl."],
        layouts: [
          { name: "transformers' T5", signs: [/^encoder\.block\.\d+\.layer\.\d+\./], isOwn: true },
          { name: "llama.cpp's T5", signs: [/^enc\.blk\.\d+\./] }
        ],
        unused: UNUSED
      },
      clip: {
        text: "a CLIP text encoder",
        folder: "text_encoder",
        prefixes: ["text_encoders.clip_l.transformer.", "text_encoders.clip_l."],
        layouts: [
          {
            name: "CLIP",
            signs: [/^(?:text_model\.)?encoder\.layers\.\d+\.(?:self_attn|mlp)\./],
            isOwn: true
          }
        ],
        unused: UNUSED
      },
      qwen3: {
        text: "a Qwen3 language model",
        folder: "text_encoder",
        prefixes: ["qwen3_4b", "qwen3_8b"].flatMap((name) => [
          `text_encoders.${name}.transformer.`,
          `text_encoders.${name}.`
        ]),
        // Other language models have the same names, but not the norms of queries.
        layouts: [
          {
            name: "transformers' Qwen3",
            signs: [/^(?:model\.)?layers\.\d+\.self_attn\.q_norm\.weight$/],
            isOwn: true
          },
          { name: "llama.cpp's Qwen3", signs: [/^blk\.\d+\.attn_q_norm\.weight$/] }
        ],
        unused: UNUSED
      }
    };
    wantedOf = (...[name, model2]) => ({
      network: NETWORKS[name],
      model: model2,
      known: Object.values(NETWORKS)
    });
  }
});

// src/models/layouts/original-autoencoder.ts
function originalFlux2AutoencoderLayout(sizes, file) {
  const nameOf3 = (half, name) => file.has(`${name}.weight`) ? name : `${half}.${name}`;
  const statistics2 = ["bn.running_mean", "bn.running_var"].map((key) => {
    const shape = [PATCH_SIDE ** 2 * sizes.latentChannels];
    return { key, shape, parts: [{ key, shape }] };
  });
  return [
    ...layoutOf2(sizes, {
      quantConv: nameOf3("encoder", "quant_conv"),
      postQuantConv: nameOf3("decoder", "post_quant_conv")
    }),
    ...statistics2
  ];
}
function layoutOf2(sizes, { quantConv, postQuantConv }) {
  const { widths, decoderWidths: decoderWidths2, latentChannels } = sizes;
  const [coarsest, decoderCoarsest] = [widths.at(-1), decoderWidths2.at(-1)];
  return [
    ...convolution("encoder.conv_in", "encoder.conv_in", [widths[0], 3, 3, 3]),
    ...widths.flatMap((_, level) => downLevel(sizes, level)),
    ...middle(sizes, "encoder", coarsest),
    ...norm("encoder.norm_out", "encoder.conv_norm_out", coarsest),
    ...convolution("encoder.conv_out", "encoder.conv_out", [2 * latentChannels, coarsest, 3, 3]),
    ...sizes.hasQuantConv ? pointwise(quantConv, "quant_conv", 2 * latentChannels) : [],
    ...sizes.hasPostQuantConv ? pointwise(postQuantConv, "post_quant_conv", latentChannels) : [],
    ...convolution("decoder.conv_in", "decoder.conv_in", [decoderCoarsest, latentChannels, 3, 3]),
    ...middle(sizes, "decoder", decoderCoarsest),
    ...decoderWidths2.flatMap((_, level) => upLevel(sizes, level)),
    ...norm("decoder.norm_out", "decoder.conv_norm_out", decoderWidths2[0]),
    ...convolution("decoder.conv_out", "decoder.conv_out", [sizes.outChannels, decoderWidths2[0], 3, 3])
  ];
}
function downLevel({ widths, layersPerBlock }, level) {
  const [from, to] = [`encoder.down.${level}`, `encoder.down_blocks.${level}`];
  const width = widths[level];
  const before = widths[Math.max(0, level - 1)];
  return [
    ...residualBlocks(`${from}.block`, `${to}.resnets`, before, width, layersPerBlock),
    ...level === widths.length - 1 ? [] : convolution(`${from}.downsample.conv`, `${to}.downsamplers.0.conv`, [width, width, 3, 3])
  ];
}
function upLevel({ decoderWidths: decoderWidths2, layersPerBlock }, level) {
  const last = decoderWidths2.length - 1;
  const [from, to] = [`decoder.up.${level}`, `decoder.up_blocks.${last - level}`];
  const width = decoderWidths2[level];
  const before = decoderWidths2[Math.min(last, level + 1)];
  return [
    ...residualBlocks(`${from}.block`, `${to}.resnets`, before, width, layersPerBlock + 1),
    ...level === 0 ? [] : convolution(`${from}.upsample.conv`, `${to}.upsamplers.0.conv`, [width, width, 3, 3])
  ];
}
function convolution(from, to, shape, as = shape) {
  const bias = [shape[0]];
  return [
    { key: `${from}.weight`, shape, parts: [{ key: `${to}.weight`, shape: as }] },
    { key: `${from}.bias`, shape: bias, parts: [{ key: `${to}.bias`, shape: bias }] }
  ];
}
function residualBlocks(from, to, before, width, count) {
  return Array.from(
    { length: count },
    (_, layer3) => residualBlock(`${from}.${layer3}`, `${to}.${layer3}`, layer3 === 0 ? before : width, width)
  ).flat();
}
function residualBlock(from, to, before, width) {
  return [
    ...norm(`${from}.norm1`, `${to}.norm1`, before),
    ...convolution(`${from}.conv1`, `${to}.conv1`, [width, before, 3, 3]),
    ...norm(`${from}.norm2`, `${to}.norm2`, width),
    ...convolution(`${from}.conv2`, `${to}.conv2`, [width, width, 3, 3]),
    ...before === width ? [] : convolution(`${from}.nin_shortcut`, `${to}.conv_shortcut`, [width, before, 1, 1])
  ];
}
function middle({ hasMidAttention }, half, width) {
  const [from, to] = [`${half}.mid`, `${half}.mid_block`];
  const attention2 = [
    ["q", "to_q"],
    ["k", "to_k"],
    ["v", "to_v"],
    ["proj_out", "to_out.0"]
  ].flatMap(
    ([original, name]) => convolution(
      `${from}.attn_1.${original}`,
      `${to}.attentions.0.${name}`,
      [width, width, 1, 1],
      [width, width]
    )
  );
  return [
    ...residualBlock(`${from}.block_1`, `${to}.resnets.0`, width, width),
    ...hasMidAttention ? [...norm(`${from}.attn_1.norm`, `${to}.attentions.0.group_norm`, width), ...attention2] : [],
    ...residualBlock(`${from}.block_2`, `${to}.resnets.1`, width, width)
  ];
}
var originalAutoencoderLayout, pointwise, norm;
var init_original_autoencoder = __esm({
  "src/models/layouts/original-autoencoder.ts"() {
    "use strict";
    init_flux2_autoencoder_config();
    originalAutoencoderLayout = (sizes) => layoutOf2(sizes, { quantConv: "quant_conv", postQuantConv: "post_quant_conv" });
    pointwise = (from, to, width) => convolution(from, to, [width, width, 1, 1]);
    norm = (from, to, width) => convolution(from, to, [width]);
  }
});

// src/models/transformers/adaptive-norm.ts
function modulate(x, { shift, scale }, epsilon) {
  const type = typeOf(x);
  return layerNorm(x, cast(add(scale, scalar(1)), type), cast(shift, type), epsilon);
}
function gated(residual, gate, x) {
  const type = typeOf(residual);
  const sum = add(residual, mul(cast(gate, type), x));
  return type === "float16" ? clip(sum, -MAX_FLOAT16, MAX_FLOAT16) : sum;
}
var MAX_FLOAT16;
var init_adaptive_norm = __esm({
  "src/models/transformers/adaptive-norm.ts"() {
    "use strict";
    init_graph();
    init_ops();
    MAX_FLOAT16 = 65504;
  }
});

// src/models/layers.ts
function linear(weights, name, x, size, { hasBias = true } = {}) {
  const scope = weights.child(name);
  const weight2 = scope.matrix("weight", [size, lastDim(x)]);
  const typed = (value) => cast(value, typeOf(x));
  const bias = hasBias ? typed(scope.tensor("bias", [size])) : void 0;
  const read = scope.adaptedInput(x);
  const y = "blocks" in weight2 ? matmulNBits(read, { ...weight2, scales: typed(weight2.scales) }, bias) : gemm(read, typed(weight2), bias);
  return scope.adapted(x, y);
}
function layerNorm2(weights, name, x, epsilon) {
  const scope = weights.child(name);
  const size = lastDim(x);
  return layerNorm(x, scope.tensor("weight", [size]), scope.tensor("bias", [size]), epsilon);
}
function headNorm(weights, name, x, headSize, epsilon) {
  const tokens = x.shape[0];
  const heads = reshape(toFloat32(x), [tokens, lastDim(x) / headSize, headSize]);
  const scope = weights.child(name);
  const normed = rmsNorm(heads, scope.adaptedNorm(scope.tensor("weight", [headSize])), epsilon);
  return reshape(normed, [1, ...x.shape]);
}
function attend(query, key, value, options) {
  return unbatched(attention(batched(query), batched(key), batched(value), options));
}
function lastDim(x) {
  const dim = x.shape.at(-1);
  if (typeof dim !== "number") throw new Error(`The last dimension of ${showShape(x.shape)} is unknown.`);
  return dim;
}
var plainLinear, rmsNorm2, batched, unbatched;
var init_layers = __esm({
  "src/models/layers.ts"() {
    "use strict";
    init_graph();
    init_ops();
    plainLinear = (weights, name, x, size) => linear(weights, name, x, size, { hasBias: false });
    rmsNorm2 = (weights, name, x, epsilon) => rmsNorm(x, weights.child(name).tensor("weight", [lastDim(x)]), epsilon);
    batched = (x) => reshape(x, [1, ...x.shape]);
    unbatched = (x) => reshape(x, x.shape.slice(1));
  }
});

// src/models/transformers/time-embedding.ts
function sinusoidalEmbedding(values, channels) {
  const half = Math.floor(channels / 2);
  const { fround: fround4 } = Math;
  const logBase = fround4(-Math.log(1e4));
  const frequencies = Array.from(
    { length: half },
    (_, index) => Math.exp(fround4(fround4(logBase * index) / half))
  );
  const scaled3 = mul(reshape(values, [values.shape[0], 1]), scalar(TIME_SCALE));
  const angles = mul(scaled3, floats(frequencies, [1, half]));
  const zeros = channels % 2 === 0 ? [] : [mul(scaled3, floats([0], [1, 1]))];
  return concat([cos(angles), sin(angles), ...zeros], 1);
}
var TIME_SCALE;
var init_time_embedding = __esm({
  "src/models/transformers/time-embedding.ts"() {
    "use strict";
    init_graph();
    init_ops();
    TIME_SCALE = 1e3;
  }
});

// src/models/transformers/flux-modulation.ts
function fluxModulation(config, weights) {
  const width = widthOf(config);
  const embedders = weights.child("time_text_embed");
  const embed = (name, x) => {
    const scope = embedders.child(name);
    return linear(scope, "linear_2", silu(linear(scope, "linear_1", x, width)), width);
  };
  const sigmas = input("sigmas", "float32", ["steps"]);
  let embedding = embed("timestep_embedder", sinusoidalEmbedding(sigmas, TIME_CHANNELS));
  if (config.hasGuidance) {
    const guidance = input("guidance", "float32", [1]);
    embedding = add(embedding, embed("guidance_embedder", sinusoidalEmbedding(guidance, TIME_CHANNELS)));
  }
  const pooled = input("pooledPromptEmbeds", "float32", [1, config.pooledSize]);
  const temb = silu(add(embedding, embed("text_embedder", pooled)));
  const vectors = modulationLayers(config).map(
    ({ key, numVectors }) => linear(weights, key, temb, numVectors * width)
  );
  return { modulation: concat(vectors, 1) };
}
function modulationInput(config) {
  const modulation = input("modulation", "float32", [modulationSize(config)]);
  const vectors = split(modulation, numVectorsOf(config), 0);
  const offsets = /* @__PURE__ */ new Map();
  let offset = 0;
  for (const { key, numVectors } of modulationLayers(config)) {
    offsets.set(key, offset);
    offset += numVectors;
  }
  const zero = (key, skipped = 0) => {
    const [shift2, scale2, gate] = vectors.slice(offsets.get(key) + skipped);
    return { shift: shift2, scale: scale2, gate };
  };
  const stream3 = (key) => ({ attention: zero(key), mlp: zero(key, 3) });
  const [scale, shift] = vectors.slice(offsets.get(OUTPUT_KEY));
  return {
    doubleBlocks: indices(config.numDoubleBlocks).map((index) => ({
      image: stream3(imageKey(index)),
      text: stream3(textKey(index))
    })),
    singleBlocks: indices(config.numSingleBlocks).map((index) => zero(singleKey(index))),
    output: { shift, scale }
  };
}
function modulationLayers(config) {
  return [
    ...indices(config.numDoubleBlocks).flatMap((block) => [
      { key: imageKey(block), numVectors: 6 },
      { key: textKey(block), numVectors: 6 }
    ]),
    ...indices(config.numSingleBlocks).map((block) => ({ key: singleKey(block), numVectors: 3 })),
    { key: OUTPUT_KEY, numVectors: 2 }
  ];
}
var TIME_CHANNELS, modulationSize, imageKey, textKey, singleKey, OUTPUT_KEY, indices, widthOf, numVectorsOf;
var init_flux_modulation = __esm({
  "src/models/transformers/flux-modulation.ts"() {
    "use strict";
    init_graph();
    init_ops();
    init_layers();
    init_time_embedding();
    TIME_CHANNELS = 256;
    modulationSize = (config) => numVectorsOf(config) * widthOf(config);
    imageKey = (block) => `transformer_blocks.${block}.norm1.linear`;
    textKey = (block) => `transformer_blocks.${block}.norm1_context.linear`;
    singleKey = (block) => `single_transformer_blocks.${block}.norm.linear`;
    OUTPUT_KEY = "norm_out.linear";
    indices = (count) => Array.from({ length: count }, (_, index) => index);
    widthOf = (config) => config.numHeads * config.headSize;
    numVectorsOf = (config) => modulationLayers(config).reduce((sum, { numVectors }) => sum + numVectors, 0);
  }
});

// src/models/transformers/flux.ts
function fluxTransformer(config, weights, { textLength, computeType = "float32" }) {
  const width = config.numHeads * config.headSize;
  const latents = input("latents", "float32", ["target", config.inChannels]);
  const referenceLatents = input("referenceLatents", "float32", ["reference", config.inChannels]);
  const promptEmbeds = input("promptEmbeds", "float32", [textLength, config.promptSize]);
  const modulation = modulationInput(config);
  const rotary = {
    cos: input("rotaryCos", "float32", [1, "tokens", config.headSize / 2]),
    sin: input("rotarySin", "float32", [1, "tokens", config.headSize / 2])
  };
  const images = concat([latents, referenceLatents], 0, "images");
  const embed = (name, x) => cast(linear(weights, name, x, width), computeType);
  let image = embed("x_embedder", images);
  let text3 = embed("context_embedder", promptEmbeds);
  for (const [index, vectors] of modulation.doubleBlocks.entries()) {
    const block = weights.child("transformer_blocks", index);
    [text3, image] = doubleStreamBlock(config, block, { text: text3, image }, vectors, rotary);
  }
  let joined2 = concat([text3, image], 0, "tokens");
  for (const [index, vectors] of modulation.singleBlocks.entries()) {
    const block = weights.child("single_transformer_blocks", index);
    joined2 = singleStreamBlock(config, block, joined2, vectors, rotary);
  }
  const predicted = rowsLike(rowsAfter(joined2, text3, "images"), latents);
  const target = toFloat32(predicted);
  return {
    velocity: linear(weights, "proj_out", modulate(target, modulation.output, EPSILON), config.outChannels)
  };
}
function doubleStreamBlock(config, weights, { text: text3, image }, vectors, rotary) {
  const attention2 = weights.child("attn");
  const width = config.numHeads * config.headSize;
  const normedText = modulate(text3, vectors.text.attention, EPSILON);
  const normedImage = modulate(image, vectors.image.attention, EPSILON);
  const join = (ofText, ofImage, axis) => concat([ofText, ofImage], axis, "tokens");
  const query = join(
    normedProjection(config, attention2, "add_q_proj", "norm_added_q", normedText),
    normedProjection(config, attention2, "to_q", "norm_q", normedImage),
    1
  );
  const key = join(
    normedProjection(config, attention2, "add_k_proj", "norm_added_k", normedText),
    normedProjection(config, attention2, "to_k", "norm_k", normedImage),
    1
  );
  const value = join(
    linear(attention2, "add_v_proj", normedText, width),
    linear(attention2, "to_v", normedImage, width),
    0
  );
  const attended2 = rotaryAttention(config, query, key, value, rotary);
  const attendedText = rowsLike(attended2, text3);
  const attendedImage = rowsAfter(attended2, text3, "images");
  const finish = (stream3, attendedStream, projection, { attention: { gate }, mlp }, feedForward2) => {
    const afterAttention = gated(stream3, gate, linear(attention2, projection, attendedStream, width));
    const normedStream = modulate(afterAttention, mlp, EPSILON);
    const up = linear(weights, `${feedForward2}.net.0.proj`, normedStream, MLP_RATIO * width);
    const down = linear(weights, `${feedForward2}.net.2`, gelu(up, { approximate: true }), width);
    return gated(afterAttention, mlp.gate, down);
  };
  return [
    finish(text3, attendedText, "to_add_out", vectors.text, "ff_context"),
    finish(image, attendedImage, "to_out.0", vectors.image, "ff")
  ];
}
function singleStreamBlock(config, weights, hiddenStates, modulation, rotary) {
  const attention2 = weights.child("attn");
  const width = config.numHeads * config.headSize;
  const normed = modulate(hiddenStates, modulation, EPSILON);
  const query = normedProjection(config, attention2, "to_q", "norm_q", normed);
  const key = normedProjection(config, attention2, "to_k", "norm_k", normed);
  const value = linear(attention2, "to_v", normed, width);
  const attended2 = rotaryAttention(config, query, key, value, rotary);
  const mlp = gelu(linear(weights, "proj_mlp", normed, MLP_RATIO * width), { approximate: true });
  return gated(
    hiddenStates,
    modulation.gate,
    linear(weights, "proj_out", concat([attended2, mlp], 1), width)
  );
}
function normedProjection({ numHeads, headSize }, weights, name, normName, x) {
  return headNorm(weights, normName, linear(weights, name, x, numHeads * headSize), headSize, EPSILON);
}
function rotaryAttention({ numHeads }, query, key, value, { cos: cos2, sin: sin2 }) {
  const turn = (x) => cast(rotaryEmbedding(x, cos2, sin2, numHeads), typeOf(value));
  return unbatched(attention(turn(query), turn(key), batched(value), { numHeads }));
}
var EPSILON, MLP_RATIO;
var init_flux = __esm({
  "src/models/transformers/flux.ts"() {
    "use strict";
    init_graph();
    init_ops();
    init_adaptive_norm();
    init_flux_modulation();
    init_layers();
    EPSILON = 1e-6;
    MLP_RATIO = 4;
  }
});

// src/models/layouts/layout-entries.ts
function layerEntry(key, name, parts, rest) {
  return {
    key: `${key}.${name}`,
    shape: [parts.reduce((sum, [, count]) => sum + count, 0), ...rest],
    parts: parts.map(([part, count]) => ({ key: `${part}.${name}`, shape: [count, ...rest] }))
  };
}
var repeated, swapped, headNormEntries, STREAMS;
var init_layout_entries = __esm({
  "src/models/layouts/layout-entries.ts"() {
    "use strict";
    repeated = (count, layoutOf3) => Array.from({ length: count }, (_, index) => layoutOf3(index)).flat();
    swapped = (entry2) => ({ ...entry2, isSwapped: true });
    headNormEntries = (size, from, to, suffix = "scale") => ["query_norm", "key_norm"].map((name, index) => ({
      key: `${from}.${name}.${suffix}`,
      shape: [size],
      parts: [{ key: `${to[index]}.weight`, shape: [size] }]
    }));
    STREAMS = {
      image: {
        original: "img",
        modulation: "norm1.linear",
        projections: ["attn.to_q", "attn.to_k", "attn.to_v"],
        norms: ["attn.norm_q", "attn.norm_k"],
        output: "attn.to_out.0",
        feedForward: "ff"
      },
      text: {
        original: "txt",
        modulation: "norm1_context.linear",
        projections: ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"],
        norms: ["attn.norm_added_q", "attn.norm_added_k"],
        output: "attn.to_add_out",
        feedForward: "ff_context"
      }
    };
  }
});

// src/models/layouts/original-flux.ts
function originalFluxLayout(config) {
  const width = config.numHeads * config.headSize;
  return [
    ...linear2("img_in", config.inChannels, [["x_embedder", width]]),
    ...linear2("txt_in", config.promptSize, [["context_embedder", width]]),
    ...embedder("time_in", "timestep_embedder", TIME_CHANNELS, width),
    ...config.hasGuidance ? embedder("guidance_in", "guidance_embedder", TIME_CHANNELS, width) : [],
    ...embedder("vector_in", "text_embedder", config.pooledSize, width),
    ...repeated(config.numDoubleBlocks, (index) => doubleStreamBlock2(config, index)),
    ...repeated(config.numSingleBlocks, (index) => singleStreamBlock2(config, index)),
    // In the last norm, the original has shift before scale, and diffusers has scale before shift.
    ...linear2("final_layer.adaLN_modulation.1", width, [["norm_out.linear", 2 * width]]).map(swapped),
    ...linear2("final_layer.linear", width, [["proj_out", config.outChannels]])
  ];
}
function embedder(from, to, columns, width) {
  return [
    ...linear2(`${from}.in_layer`, columns, [[`time_text_embed.${to}.linear_1`, width]]),
    ...linear2(`${from}.out_layer`, width, [[`time_text_embed.${to}.linear_2`, width]])
  ];
}
function doubleStreamBlock2(config, index) {
  return [...stream(config, index, STREAMS.image), ...stream(config, index, STREAMS.text)];
}
function stream({ numHeads, headSize }, index, names) {
  const { original, modulation, projections, norms, output, feedForward: feedForward2 } = names;
  const [from, to] = [`double_blocks.${index}.${original}`, `transformer_blocks.${index}`];
  const width = numHeads * headSize;
  const mlp = MLP_RATIO * width;
  const part = (name, rows2) => [`${to}.${name}`, rows2];
  return [
    ...linear2(`${from}_mod.lin`, width, [part(modulation, 6 * width)]),
    ...linear2(
      `${from}_attn.qkv`,
      width,
      projections.map((name) => part(name, width))
    ),
    ...headNormEntries(headSize, `${from}_attn.norm`, [`${to}.${norms[0]}`, `${to}.${norms[1]}`]),
    ...linear2(`${from}_attn.proj`, width, [part(output, width)]),
    ...linear2(`${from}_mlp.0`, width, [part(`${feedForward2}.net.0.proj`, mlp)]),
    ...linear2(`${from}_mlp.2`, mlp, [part(`${feedForward2}.net.2`, width)])
  ];
}
function singleStreamBlock2(config, index) {
  const [from, to] = [`single_blocks.${index}`, `single_transformer_blocks.${index}`];
  const width = config.numHeads * config.headSize;
  const mlp = MLP_RATIO * width;
  const fused = [
    [`${to}.attn.to_q`, width],
    [`${to}.attn.to_k`, width],
    [`${to}.attn.to_v`, width],
    [`${to}.proj_mlp`, mlp]
  ];
  return [
    ...linear2(`${from}.modulation.lin`, width, [[`${to}.norm.linear`, 3 * width]]),
    ...linear2(`${from}.linear1`, width, fused),
    ...headNormEntries(config.headSize, `${from}.norm`, [`${to}.attn.norm_q`, `${to}.attn.norm_k`]),
    ...linear2(`${from}.linear2`, width + mlp, [[`${to}.proj_out`, width]])
  ];
}
var linear2;
var init_original_flux = __esm({
  "src/models/layouts/original-flux.ts"() {
    "use strict";
    init_flux();
    init_flux_modulation();
    init_layout_entries();
    linear2 = (key, columns, parts) => [
      layerEntry(key, "weight", parts, [columns]),
      layerEntry(key, "bias", parts, [])
    ];
  }
});

// src/models/layouts/t5-layouts.ts
function singleT5Layout(config, file) {
  const weights = llamaT5Layout(config).flatMap(({ parts }) => parts);
  const present = TABLES.filter((name) => file.has(name));
  return weights.flatMap(({ key, shape }) => {
    const names = key === TABLES[0] && present.length > 0 ? present : [key];
    return names.map((name) => ({ key: name, shape, parts: [{ key: name, shape }] }));
  });
}
function llamaT5Layout(config) {
  const { width, vocabularySize, numBuckets, numHeads, numLayers } = config;
  return [
    weight("token_embd", "shared", [vocabularySize, width]),
    // All layers share the first layer's table.
    weight("enc.blk.0.attn_rel_b", "encoder.block.0.layer.0.SelfAttention.relative_attention_bias", [
      numBuckets,
      numHeads
    ]),
    ...Array.from({ length: numLayers }, (_, index) => layer(config, index)).flat(),
    weight("enc.output_norm", "encoder.final_layer_norm", [width])
  ];
}
function layer({ width, numHeads, headSize, mlpWidth, isGated }, index) {
  const from = `enc.blk.${index}`;
  const [attention2, mlp] = [`encoder.block.${index}.layer.0`, `encoder.block.${index}.layer.1`];
  const [inner, dense] = [numHeads * headSize, `${mlp}.DenseReluDense`];
  const up = [mlpWidth, width];
  return [
    weight(`${from}.attn_norm`, `${attention2}.layer_norm`, [width]),
    ...["q", "k", "v"].map(
      (name) => weight(`${from}.attn_${name}`, `${attention2}.SelfAttention.${name}`, [inner, width])
    ),
    weight(`${from}.attn_o`, `${attention2}.SelfAttention.o`, [width, inner]),
    weight(`${from}.ffn_norm`, `${mlp}.layer_norm`, [width]),
    ...isGated ? [weight(`${from}.ffn_gate`, `${dense}.wi_0`, up)] : [],
    weight(`${from}.ffn_up`, isGated ? `${dense}.wi_1` : `${dense}.wi`, up),
    weight(`${from}.ffn_down`, `${dense}.wo`, [width, mlpWidth])
  ];
}
function weight(from, to, shape) {
  return { key: `${from}.weight`, shape, parts: [{ key: `${to}.weight`, shape }] };
}
var TABLES;
var init_t5_layouts = __esm({
  "src/models/layouts/t5-layouts.ts"() {
    "use strict";
    TABLES = ["shared.weight", "encoder.embed_tokens.weight"];
  }
});

// src/models/transformers/flux-config.ts
function readFluxConfig(config) {
  const fields = config.withNulls();
  const inChannels = fields.count("in_channels", MAX_CHANNELS, 64);
  const headSize = fields.count("attention_head_dim", MAX_WIDTH, 128);
  return {
    inChannels,
    outChannels: readOutChannels(fields, inChannels),
    numDoubleBlocks: fields.wholeNumber("num_layers", MAX_LAYERS, 19),
    numSingleBlocks: fields.wholeNumber("num_single_layers", MAX_LAYERS, 38),
    numHeads: fields.count("num_attention_heads", MAX_HEADS, 24),
    headSize,
    promptSize: fields.count("joint_attention_dim", MAX_WIDTH, 4096),
    pooledSize: fields.count("pooled_projection_dim", MAX_WIDTH, 768),
    hasGuidance: fields.truth("guidance_embeds", false),
    rotaryAxes: readRotaryAxes(fields, headSize)
  };
}
function readOutChannels(config, inChannels) {
  const perPatch = config.truth("out_channels", false) ? config.count("out_channels", MAX_CHANNELS) : inChannels;
  const patchSize = config.count("patch_size", MAX_WIDTH, 1);
  const outChannels = patchSize ** 2 * perPatch;
  if (outChannels === inChannels) return outChannels;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `In ${config.file}, out_channels (${perPatch}) times the square of patch_size (${patchSize}) must be in_channels (${inChannels}).`
  );
}
function readRotaryAxes(config, headSize) {
  const name = "axes_dims_rope";
  const given = config.get(name) === void 0 ? [16, 56, 56] : config.get(name);
  const axes = Array.isArray(given) ? given.slice(0, NUM_AXES) : [];
  const isEven = (axis) => isWhole({ min: 0, max: MAX_WIDTH })(axis) && axis % 2 === 0;
  const isFitting2 = Array.isArray(given) && given.length <= MAX_AXES && axes.length === NUM_AXES && axes.every(isEven) && axes.reduce((sum, axis) => sum + axis, 0) === headSize;
  if (isFitting2) return axes;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `In ${config.file}, ${name} must be three even numbers with the sum attention_head_dim (${headSize}) and is ${shownValue(given)}.`
  );
}
var MAX_CHANNELS, ROTARY_THETA, NUM_AXES, MAX_AXES;
var init_flux_config = __esm({
  "src/models/transformers/flux-config.ts"() {
    "use strict";
    init_errors();
    init_config();
    init_limits();
    MAX_CHANNELS = 4 * MAX_LATENT_CHANNELS;
    ROTARY_THETA = 1e4;
    NUM_AXES = 3;
    MAX_AXES = 8;
  }
});

// src/models/transformers/flux2-config.ts
function readFlux2Config(config) {
  const fields = config.withNulls();
  const inChannels = fields.count("in_channels", MAX_CHANNELS, 128);
  const headSize = fields.count("attention_head_dim", MAX_WIDTH, 128);
  const numHeads = fields.count("num_attention_heads", MAX_HEADS, 48);
  return {
    inChannels,
    outChannels: readOutChannels(fields, inChannels),
    numDoubleBlocks: fields.wholeNumber("num_layers", MAX_LAYERS, 8),
    numSingleBlocks: fields.wholeNumber("num_single_layers", MAX_LAYERS, 48),
    numHeads,
    headSize,
    promptSize: fields.count("joint_attention_dim", MAX_WIDTH, 15360),
    mlpRatio: readMlpRatio(fields, numHeads * headSize),
    hasGuidance: fields.truth("guidance_embeds", true),
    rotaryAxes: readRotaryAxes2(fields, headSize),
    rotaryTheta: fields.numberWithin("rope_theta", { min: 1e-6, max: MAX_THETA }, 2e3),
    timeChannels: fields.count("timestep_guidance_channels", MAX_WIDTH, 256),
    epsilon: fields.numberWithin("eps", { min: 0, max: 1 }, 1e-6)
  };
}
function mlpRatioOf(width, mlpWidth) {
  const ratio = mlpWidth / width;
  return Math.floor(width * ratio) === mlpWidth ? ratio : (mlpWidth + 0.5) / width;
}
function readMlpRatio(config, width) {
  const name = "mlp_ratio";
  const mlpRatio = config.numberWithin(name, { min: 0, max: MAX_MLP_RATIO }, 3);
  const mlpWidth = Math.floor(width * mlpRatio);
  if (mlpWidth >= 1 && mlpWidth <= MAX_WIDTH) return mlpRatio;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `In ${config.file}, ${name} (${mlpRatio}) times the width (${width}) must be from 1 to ${MAX_WIDTH}.`
  );
}
function readRotaryAxes2(config, headSize) {
  const name = "axes_dims_rope";
  const given = config.get(name) === void 0 ? [32, 32, 32, 32] : config.get(name);
  const isEven = (axis) => isWhole({ min: 0, max: MAX_WIDTH })(axis) && axis % 2 === 0;
  if (Array.isArray(given) && given.length <= NUM_AXES2 && given.every(isEven)) {
    const axes = [...given, 0, 0, 0, 0].slice(0, NUM_AXES2);
    if (axes.reduce((sum, axis) => sum + axis, 0) === headSize) return axes;
  }
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `In ${config.file}, ${name} must be at most four even numbers with the sum attention_head_dim (${headSize}) and is ${shownValue(given)}.`
  );
}
var NUM_AXES2, MAX_MLP_RATIO, MAX_THETA, widthOf2, mlpWidthOf;
var init_flux2_config = __esm({
  "src/models/transformers/flux2-config.ts"() {
    "use strict";
    init_errors();
    init_config();
    init_limits();
    init_flux_config();
    NUM_AXES2 = 4;
    MAX_MLP_RATIO = 1e3;
    MAX_THETA = 1e12;
    widthOf2 = ({ numHeads, headSize }) => numHeads * headSize;
    mlpWidthOf = (config) => Math.floor(widthOf2(config) * config.mlpRatio);
  }
});

// src/models/layouts/original-flux2.ts
function normSuffixOf(file) {
  const norms = ["double_blocks.0.img_attn.norm", "single_blocks.0.norm"];
  return norms.some((norm2) => file.has(`${norm2}.query_norm.weight`)) ? "weight" : "scale";
}
function originalFlux2Layout(config, file) {
  const width = widthOf2(config);
  const norms = file === void 0 ? "scale" : normSuffixOf(file);
  const modulation = (name, numVectors) => matrix(`${name}.lin`, width, [[`${name}.linear`, numVectors * width]]);
  return [
    matrix("img_in", config.inChannels, [["x_embedder", width]]),
    matrix("txt_in", config.promptSize, [["context_embedder", width]]),
    ...embedder2(config, "time_in", "timestep_embedder"),
    ...config.hasGuidance ? embedder2(config, "guidance_in", "guidance_embedder") : [],
    modulation("double_stream_modulation_img", 6),
    modulation("double_stream_modulation_txt", 6),
    modulation("single_stream_modulation", 3),
    ...repeated(config.numDoubleBlocks, (index) => doubleStreamBlock3(config, index, norms)),
    ...repeated(config.numSingleBlocks, (index) => singleStreamBlock3(config, index, norms)),
    // In the last norm, the original has shift before scale, and diffusers has scale before shift.
    swapped(matrix("final_layer.adaLN_modulation.1", width, [["norm_out.linear", 2 * width]])),
    matrix("final_layer.linear", width, [["proj_out", config.outChannels]])
  ];
}
function embedder2(config, from, to) {
  const width = widthOf2(config);
  return [
    matrix(`${from}.in_layer`, config.timeChannels, [[`time_guidance_embed.${to}.linear_1`, width]]),
    matrix(`${from}.out_layer`, width, [[`time_guidance_embed.${to}.linear_2`, width]])
  ];
}
function doubleStreamBlock3(config, index, normSuffix) {
  const layoutOf3 = (names) => stream2(config, index, names, normSuffix);
  return [...layoutOf3(STREAMS.image), ...layoutOf3(STREAMS.text)];
}
function stream2(config, index, names, normSuffix) {
  const { original, projections, norms, output, feedForward: feedForward2 } = names;
  const [from, to] = [`double_blocks.${index}.${original}`, `transformer_blocks.${index}`];
  const [width, mlp] = [widthOf2(config), mlpWidthOf(config)];
  const part = (name, rows2) => [`${to}.${name}`, rows2];
  const fused = projections.map((name) => part(name, width));
  const normNames = [`${to}.${norms[0]}`, `${to}.${norms[1]}`];
  return [
    matrix(`${from}_attn.qkv`, width, fused),
    ...headNormEntries(config.headSize, `${from}_attn.norm`, normNames, normSuffix),
    matrix(`${from}_attn.proj`, width, [part(output, width)]),
    matrix(`${from}_mlp.0`, width, [part(`${feedForward2}.linear_in`, 2 * mlp)]),
    matrix(`${from}_mlp.2`, mlp, [part(`${feedForward2}.linear_out`, width)])
  ];
}
function singleStreamBlock3(config, index, normSuffix) {
  const [from, to] = [`single_blocks.${index}`, `single_transformer_blocks.${index}.attn`];
  const [width, mlp] = [widthOf2(config), mlpWidthOf(config)];
  return [
    matrix(`${from}.linear1`, width, [[`${to}.to_qkv_mlp_proj`, 3 * width + 2 * mlp]]),
    ...headNormEntries(config.headSize, `${from}.norm`, [`${to}.norm_q`, `${to}.norm_k`], normSuffix),
    matrix(`${from}.linear2`, width + mlp, [[`${to}.to_out`, width]])
  ];
}
var matrix;
var init_original_flux2 = __esm({
  "src/models/layouts/original-flux2.ts"() {
    "use strict";
    init_flux2_config();
    init_layout_entries();
    matrix = (key, columns, parts) => layerEntry(key, "weight", parts, [columns]);
  }
});

// src/models/layouts/transformer-sizes.ts
function fieldsOf3(file, names, norm2) {
  const { doubleBlocks, singleBlocks, image, text: text3, output, guidance } = names;
  const headSize = file.dimension(norm2, 0);
  return {
    in_channels: file.dimension(`${image}.weight`, 1),
    out_channels: file.dimension(`${output}.weight`, 0),
    num_layers: file.countBelow(doubleBlocks),
    num_single_layers: file.countBelow(singleBlocks),
    num_attention_heads: file.dimension(`${image}.weight`, 0) / headSize,
    attention_head_dim: headSize,
    joint_attention_dim: file.dimension(`${text3}.weight`, 1),
    guidance_embeds: file.has(`${guidance}.weight`)
  };
}
function flux2FieldsOf(file, names, norm2) {
  const { doubleBlocks, singleBlocks, image, time, doubleMlp, singleOutput } = names;
  const width = file.dimension(`${image}.weight`, 0);
  const mlpWidth = file.countBelow(doubleBlocks) > 0 ? file.dimension(`${doubleBlocks}.0.${doubleMlp}.weight`, 1) : file.dimension(`${singleBlocks}.0.${singleOutput}.weight`, 1) - width;
  return {
    ...fieldsOf3(file, names, norm2),
    // The class has as many output as input channels for a patch of one.
    patch_size: 1,
    timestep_guidance_channels: file.dimension(`${time}.weight`, 1),
    mlp_ratio: mlpRatioOf(width, mlpWidth)
  };
}
var ORIGINAL2, DIFFUSERS3, ORIGINAL_FLUX2, DIFFUSERS_FLUX2, originalFluxSizes, diffusersFluxSizes, originalFlux2Sizes, diffusersFlux2Sizes, configOf2, originalNorm, diffusersNorm;
var init_transformer_sizes = __esm({
  "src/models/layouts/transformer-sizes.ts"() {
    "use strict";
    init_config();
    init_flux_config();
    init_flux2_config();
    init_original_flux2();
    ORIGINAL2 = {
      doubleBlocks: "double_blocks",
      singleBlocks: "single_blocks",
      image: "img_in",
      text: "txt_in",
      output: "final_layer.linear",
      guidance: "guidance_in.in_layer"
    };
    DIFFUSERS3 = {
      doubleBlocks: "transformer_blocks",
      singleBlocks: "single_transformer_blocks",
      image: "x_embedder",
      text: "context_embedder",
      output: "proj_out",
      guidance: "time_text_embed.guidance_embedder.linear_1"
    };
    ORIGINAL_FLUX2 = {
      ...ORIGINAL2,
      time: "time_in.in_layer",
      doubleMlp: "img_mlp.2",
      singleOutput: "linear2"
    };
    DIFFUSERS_FLUX2 = {
      ...DIFFUSERS3,
      guidance: "time_guidance_embed.guidance_embedder.linear_1",
      time: "time_guidance_embed.timestep_embedder.linear_1",
      doubleMlp: "ff.linear_out",
      singleOutput: "attn.to_out"
    };
    originalFluxSizes = (file, folder2) => readFluxConfig(
      configOf2(file, folder2, {
        ...fieldsOf3(file, ORIGINAL2, originalNorm(file, "scale")),
        pooled_projection_dim: file.dimension("vector_in.in_layer.weight", 1)
      })
    );
    diffusersFluxSizes = (file, folder2) => readFluxConfig(
      configOf2(file, folder2, {
        ...fieldsOf3(file, DIFFUSERS3, diffusersNorm(file)),
        pooled_projection_dim: file.dimension("time_text_embed.text_embedder.linear_1.weight", 1)
      })
    );
    originalFlux2Sizes = (file, folder2) => readFlux2Config(
      configOf2(file, folder2, flux2FieldsOf(file, ORIGINAL_FLUX2, originalNorm(file, normSuffixOf(file))))
    );
    diffusersFlux2Sizes = (file, folder2) => readFlux2Config(configOf2(file, folder2, flux2FieldsOf(file, DIFFUSERS_FLUX2, diffusersNorm(file))));
    configOf2 = (file, folder2, fields) => new Config(folder2?.file ?? file.file, { ...folder2?.fields, ...fields });
    originalNorm = (file, suffix) => file.countBelow(ORIGINAL2.doubleBlocks) > 0 ? `double_blocks.0.img_attn.norm.query_norm.${suffix}` : `single_blocks.0.norm.query_norm.${suffix}`;
    diffusersNorm = (file) => file.countBelow(DIFFUSERS3.doubleBlocks) > 0 ? "transformer_blocks.0.attn.norm_q.weight" : "single_transformer_blocks.0.attn.norm_q.weight";
  }
});

// src/models/text-encoders/clip.ts
function readClipConfig(config) {
  const fields = textSection(config).withNulls();
  const width = fields.count("hidden_size", MAX_WIDTH, 512);
  const numHeads = fields.count("num_attention_heads", MAX_HEADS, 8);
  if (width % numHeads !== 0) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, num_attention_heads (${numHeads}) must divide hidden_size (${width}).`
    );
  }
  return {
    width,
    mlpWidth: fields.count("intermediate_size", MAX_WIDTH, 2048),
    numLayers: fields.wholeNumber("num_hidden_layers", MAX_LAYERS, 12),
    numHeads,
    vocabularySize: fields.count("vocab_size", MAX_VOCABULARY, 49408),
    maxPositions: fields.count("max_position_embeddings", MAX_POSITIONS, 77),
    epsilon: fields.number("layer_norm_eps", 1e-5),
    activation: readActivation(fields, "hidden_act", "quick_gelu"),
    endTokenId: readEndToken(fields)
  };
}
function textSection(config) {
  const section = config.get(TEXT_SECTION);
  if (section === void 0) return config;
  if (typeof section !== "object" || section === null || Array.isArray(section)) {
    throw config.invalid(TEXT_SECTION, "an object");
  }
  return new Config(config.file, section);
}
function readEndToken(config) {
  const name = "eos_token_id";
  const value = config.get(name) === void 0 ? 49407 : config.get(name);
  if (isWhole({ min: -MAX_TOKEN_ID, max: MAX_TOKEN_ID })(value)) return value;
  throw config.invalid(name, "one token's whole number");
}
function withoutPrefix(weights) {
  if (weights.hasChild("clip")) return weights.child("clip");
  const isBare = weights.hasChild("final_layer_norm") || !weights.hasChild("text_model");
  return isBare ? weights : weights.child("text_model");
}
function clipTextEncoder(config, weights, { length: length2 }) {
  const { width, epsilon, numHeads } = config;
  const text3 = withoutPrefix(weights);
  const embeddings = text3.child("embeddings");
  const tokens = embeddings.child("token_embedding").tensor("weight", [config.vocabularySize, width]);
  const positions = embeddings.child("position_embedding").tensor("weight", [config.maxPositions, width]);
  let hiddenStates = add(
    gather(tokens, input("tokenIds", "int64", [length2])),
    rows(positions, 0, length2, length2)
  );
  const bias = causalBias(length2);
  for (let index = 0; index < config.numLayers; index += 1) {
    const layer3 = text3.child("encoder.layers", index);
    const attention2 = layer3.child("self_attn");
    const normed = layerNorm2(layer3, "layer_norm1", hiddenStates, epsilon);
    const [query, key, value] = ["q_proj", "k_proj", "v_proj"].map(
      (name) => linear(attention2, name, normed, width)
    );
    const attended2 = attend(query, key, value, { numHeads, bias });
    hiddenStates = add(hiddenStates, linear(attention2, "out_proj", attended2, width));
    const mlpInput = layerNorm2(layer3, "layer_norm2", hiddenStates, epsilon);
    const up = config.activation(linear(layer3, "mlp.fc1", mlpInput, config.mlpWidth));
    hiddenStates = add(hiddenStates, linear(layer3, "mlp.fc2", up, width));
  }
  const last = gather(hiddenStates, input("endPosition", "int64", [1]));
  return { pooledPromptEmbeds: layerNorm2(text3, "final_layer_norm", last, epsilon) };
}
function clipEndPosition(tokenIds, endTokenId) {
  const wanted = endTokenId === 2 ? Math.max(...tokenIds) : endTokenId;
  return Math.max(0, tokenIds.indexOf(wanted));
}
var TEXT_SECTION, MAX_TOKEN_ID;
var init_clip2 = __esm({
  "src/models/text-encoders/clip.ts"() {
    "use strict";
    init_errors();
    init_graph();
    init_ops();
    init_config();
    init_limits();
    init_activation();
    init_layers();
    TEXT_SECTION = "text_config";
    MAX_TOKEN_ID = 2 ** 31;
  }
});

// src/models/text-encoders/t5-config.ts
function readT5Config(config) {
  const fields = config.withNulls();
  const size = (name, fallback, max = MAX_WIDTH) => {
    const own = fields.count(SHARED_NAMES[name], max, fallback);
    return fields.count(name, max, own);
  };
  if (fields.truth("is_decoder", false)) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${config.file}, is_decoder must be false: a text encoder is wanted.`
    );
  }
  const ownLayers = fields.wholeNumber("num_layers", MAX_LAYERS, 6);
  return {
    width: size("hidden_size", 512),
    headSize: size("head_dim", 64),
    numHeads: size("num_attention_heads", 8, MAX_HEADS),
    mlpWidth: fields.count("d_ff", MAX_WIDTH, 2048),
    numLayers: fields.wholeNumber("num_hidden_layers", MAX_LAYERS, ownLayers),
    vocabularySize: fields.count("vocab_size", MAX_VOCABULARY, 32128),
    epsilon: fields.number("layer_norm_epsilon", 1e-6),
    ...readBuckets(fields),
    ...readFeedForward(fields)
  };
}
function readFeedForward(config) {
  const name = "feed_forward_proj";
  const projection = config.string(name, "relu");
  const parts = projection.split("-");
  if (parts.length > 2 || parts.length === 2 && parts[0] !== "gated") {
    throw config.invalid(name, "an activation's name, or gated- and one");
  }
  const implied = projection === "gated-gelu" ? "gelu_new" : parts.at(-1);
  const isGated = config.truth("is_gated_act", parts[0] === "gated");
  if (config.get("dense_act_fn") !== void 0) {
    return { isGated, activation: readActivation(config, "dense_act_fn") };
  }
  return { isGated, activation: readActivation(new Config(config.file, { [name]: implied }), name) };
}
function readBuckets(config) {
  const [buckets, distance] = ["relative_attention_num_buckets", "relative_attention_max_distance"];
  const numBuckets = config.count(buckets, MAX_BUCKETS, 32);
  const maxDistance = config.count(distance, MAX_DISTANCE, 128);
  const numExact = Math.floor(numBuckets / 4);
  if (numExact < 1 || maxDistance <= numExact) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, ${buckets} (${numBuckets}) must be 4 or more, and ${distance} (${maxDistance}) more than a quarter of it.`
    );
  }
  return { numBuckets, maxDistance };
}
var MAX_BUCKETS, MAX_DISTANCE, SHARED_NAMES;
var init_t5_config = __esm({
  "src/models/text-encoders/t5-config.ts"() {
    "use strict";
    init_errors();
    init_config();
    init_limits();
    init_activation();
    MAX_BUCKETS = 4096;
    MAX_DISTANCE = 1e6;
    SHARED_NAMES = {
      hidden_size: "d_model",
      num_attention_heads: "num_heads",
      num_hidden_layers: "num_layers",
      head_dim: "d_kv"
    };
  }
});

// src/weights/folder-keys.ts
function assertFolderOf(wanted, weights) {
  const entries = [...weights.entries()];
  const keys = entries.map(([key]) => key);
  const [stored] = entries.flatMap(([, weight2]) => "file" in weight2 ? weight2 : []);
  const name = `The weights file ${stored?.file ?? weights.name}`;
  const packing = packingOf(keys);
  if (packing !== void 0) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `${name} has its matrices packed as ${packing}; ${READABLE_TYPES} can be read.`
    );
  }
  const layout = layoutOf(keys, wanted.known);
  const other = otherFileOf(keys);
  const mismatch = other === void 0 ? layout && mismatchOf(layout, wanted) : `is ${other}, and ${wanted.network.text} is wanted`;
  if (mismatch !== void 0) throw new RetouchError("CHECKPOINT_INVALID", `${name} ${mismatch}.`);
  if (layout === void 0 || layout.isOwn === true) return;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `${name} has the keys of ${layout.name}, which a folder cannot have; it can be given as a single file.`
  );
}
var init_folder_keys = __esm({
  "src/weights/folder-keys.ts"() {
    "use strict";
    init_errors();
    init_network_keys();
    init_weight_set();
  }
});

// src/weights/quantization-config.ts
function assertReadableQuantisation(config) {
  const given = config.get(FIELD);
  if (given === void 0) return;
  const method = typeof given === "object" ? methodOf(given) : void 0;
  if (method === void 0) throw config.invalid(FIELD, "an object that names its quant_method");
  if (method === READ_METHOD) return;
  throw new RetouchError(
    "CHECKPOINT_UNSUPPORTED",
    `In ${config.file}, ${FIELD} says that the weights are quantised by ${method}, which cannot be read; take the weights in 16 or 32 bits, or a GGUF file.`
  );
}
function methodOf(fields) {
  const { quant_method: method, load_in_4bit: in4Bits, load_in_8bit: in8Bits } = fields;
  const isBitsAndBytes = method === "bitsandbytes" || in4Bits === true || in8Bits === true;
  if (!isBitsAndBytes) return typeof method === "string" ? shownValue(method) : void 0;
  if (in4Bits !== true) return "bitsandbytes in 8 bits";
  const type = fields["bnb_4bit_quant_type"] ?? "fp4";
  return type === "nf4" || type === "fp4" ? `bitsandbytes as ${type}` : "bitsandbytes in 4 bits";
}
var FIELD, READ_METHOD;
var init_quantization_config = __esm({
  "src/weights/quantization-config.ts"() {
    "use strict";
    init_errors();
    init_config();
    FIELD = "quantization_config";
    READ_METHOD = '"bfl"';
  }
});

// src/pipelines/shared/stored.ts
import path14 from "node:path";
async function readNetwork(checkpoint, files) {
  const file = await checkpoint.singleFile(files.wanted, files.options);
  const stored = await (file ? readFile2(checkpoint, files, file) : readFolder(checkpoint, files));
  const { isRead } = files;
  return isRead ? { ...stored, weights: withOnly(stored.weights, isRead) } : stored;
}
async function readFolder(checkpoint, { wanted, className, readConfig }) {
  const { folder: folder2 } = wanted.network;
  checkpoint.assertClass(folder2, className);
  const fields = await checkpoint.config(configOf3(folder2));
  assertReadableQuantisation(fields);
  const config = readConfig(fields);
  const weights = await checkpoint.weights(folder2);
  assertFolderOf(wanted, weights);
  return { source: path14.join(checkpoint.folder, folder2), config, weights };
}
async function readFile2(checkpoint, { wanted, readConfig, readers }, file) {
  const { folder: folder2 } = wanted.network;
  const { sizesOf: sizesOf2, layoutOf: layoutOf3 } = readers[file.layout()];
  const isThere = sizesOf2 === void 0 || await checkpoint.has(configOf3(folder2));
  const inFolder = isThere ? await checkpoint.config(configOf3(folder2)) : void 0;
  const config = sizesOf2 ? sizesOf2(file, inFolder) : readConfig(inFolder);
  const layout = layoutOf3(config, file);
  for (const notice of unusedNotice(file.file, file.unusedKeys())) checkpoint.note(notice);
  const weights = file instanceof GgufFile ? file.arrange(layout) : file.arrange(folder2, layout);
  return { source: file.file, config, weights };
}
var configOf3, ownLayout;
var init_stored = __esm({
  "src/pipelines/shared/stored.ts"() {
    "use strict";
    init_prepare();
    init_folder_keys();
    init_gguf_file();
    init_quantization_config();
    init_unused_keys();
    configOf3 = (folder2) => `${folder2}/config.json`;
    ownLayout = (_sizes, file) => file.ownLayout();
  }
});

// src/pipelines/flux1-kontext/stored.ts
var TRANSFORMER, AUTOENCODER, T5, CLIP, readTransformer, readAutoencoder, readT5, readClip;
var init_stored2 = __esm({
  "src/pipelines/flux1-kontext/stored.ts"() {
    "use strict";
    init_autoencoder_config();
    init_autoencoder_sizes();
    init_file_networks();
    init_original_autoencoder();
    init_original_flux();
    init_t5_layouts();
    init_transformer_sizes();
    init_clip2();
    init_t5_config();
    init_flux_config();
    init_stored();
    TRANSFORMER = {
      wanted: wantedOf("transformer", "FLUX.1"),
      className: "FluxTransformer2DModel",
      options: { own: "transformer" },
      readConfig: readFluxConfig,
      readers: {
        "the original transformer": { sizesOf: originalFluxSizes, layoutOf: originalFluxLayout },
        "diffusers' transformer": { sizesOf: diffusersFluxSizes, layoutOf: ownLayout }
      }
    };
    AUTOENCODER = {
      wanted: wantedOf("vae", "FLUX.1"),
      className: "AutoencoderKL",
      options: { own: "vae" },
      readConfig: readAutoencoderConfig,
      readers: {
        "the original autoencoder": { sizesOf: originalAutoencoderSizes, layoutOf: originalAutoencoderLayout },
        "diffusers' autoencoder": { sizesOf: diffusersAutoencoderSizes, layoutOf: ownLayout }
      }
    };
    T5 = {
      wanted: wantedOf("t5"),
      className: "T5EncoderModel",
      options: { own: "textEncoder" },
      readConfig: readT5Config,
      readers: {
        "transformers' T5": { layoutOf: singleT5Layout },
        "llama.cpp's T5": { layoutOf: llamaT5Layout }
      }
    };
    CLIP = {
      wanted: wantedOf("clip"),
      className: "CLIPTextModel",
      options: { beside: "textEncoder" },
      readConfig: readClipConfig,
      readers: { CLIP: { layoutOf: ownLayout } }
    };
    readTransformer = (checkpoint) => readNetwork(checkpoint, TRANSFORMER);
    readAutoencoder = (checkpoint) => readNetwork(checkpoint, AUTOENCODER);
    readT5 = (checkpoint) => readNetwork(checkpoint, T5);
    readClip = (checkpoint) => readNetwork(checkpoint, CLIP);
  }
});

// src/pipelines/flux1-kontext/checkpoint.ts
async function readKontext(checkpoint) {
  checkpoint.assertClass("scheduler", "FlowMatchEulerDiscreteScheduler");
  const schedule = readScheduleConfig2(await checkpoint.config("scheduler/scheduler_config.json"));
  const transformer = await readTransformer(checkpoint);
  const vae = await readAutoencoder(checkpoint);
  const { config: flux } = transformer;
  const { config: autoencoder } = vae;
  if (flux.inChannels !== 4 * autoencoder.latentChannels) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `The checkpoint ${checkpoint.folder} has a transformer of ${flux.inChannels} channels and an autoencoder of ${autoencoder.latentChannels}; four times as many are wanted.`
    );
  }
  const tokenizers = {
    clip: await Tokenizer.read(checkpoint, "tokenizer", "clip"),
    t5: await Tokenizer.read(checkpoint, "tokenizer_2", "t5")
  };
  const { config: clip2, weights: clipWeights } = await readClip(checkpoint);
  const t5 = await readT5(checkpoint);
  if (flux.promptSize !== t5.config.width || flux.pooledSize !== clip2.width) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `The checkpoint ${checkpoint.folder} has a transformer for text embeddings of ${flux.promptSize} and ${flux.pooledSize} numbers (T5 and CLIP) and text encoders that give ${t5.config.width} and ${clip2.width}.`
    );
  }
  const clipLength = Math.min(tokenizers.clip.maxLength, clip2.maxPositions);
  const t5Length = t5LengthOf(tokenizers.t5);
  return {
    schedule,
    configs: { flux, autoencoder, clip: clip2, t5: t5.config, clipLength, t5Length },
    tokenizers,
    stored: { transformer: transformer.weights, t5: t5.weights, clip: clipWeights, vae: vae.weights }
  };
}
var MAX_T5_TOKENS, t5LengthOf;
var init_checkpoint = __esm({
  "src/pipelines/flux1-kontext/checkpoint.ts"() {
    "use strict";
    init_errors();
    init_tokenizer();
    init_schedule();
    init_stored2();
    MAX_T5_TOKENS = 512;
    t5LengthOf = (tokenizer) => Math.min(tokenizer.maxLength, MAX_T5_TOKENS);
  }
});

// src/models/autoencoders/autoencoder-kl.ts
function autoencoderEncoder(config, weights) {
  const scope = weights.child("encoder");
  const { widths, numGroups, layersPerBlock } = config;
  let x = convolution2(scope, "conv_in", input("pixels", "float32", [1, 3, "height", "width"]), widths[0]);
  config.downKinds.forEach((kind, level) => {
    const block = scope.child("down_blocks", level);
    const width = widths[level];
    for (let layer3 = 0; layer3 < layersPerBlock; layer3 += 1) {
      x = residualBlock2(config, block.child("resnets", layer3), x, width);
      if (kind === "attention") {
        x = spatialAttention(block.child("attentions", layer3), x, numGroups, positionsAt(level));
      }
    }
    if (level < widths.length - 1) {
      x = convolution2(block, "downsamplers.0.conv", x, width, { stride: 2, padding: [0, 0, 1, 1] });
    }
  });
  x = midBlock(config, scope.child("mid_block"), x);
  x = silu(groupNorm2(scope, "conv_norm_out", x, numGroups));
  let moments = convolution2(scope, "conv_out", x, 2 * config.latentChannels);
  if (config.hasQuantConv) moments = pointwise2(weights, "quant_conv", moments, 2 * config.latentChannels);
  return { mean: split(moments, 2, 1)[0] };
}
function autoencoderDecoder(config, weights) {
  return decoderOf(config, weights, input("latents", "float32", [1, config.latentChannels, "h", "w"]));
}
function decoderOf(config, weights, latents) {
  const scope = weights.child("decoder");
  const { numGroups, layersPerBlock } = config;
  const widths = config.decoderWidths.toReversed();
  let x = latents;
  if (config.hasPostQuantConv) x = pointwise2(weights, "post_quant_conv", x, config.latentChannels);
  x = convolution2(scope, "conv_in", x, widths[0]);
  x = midBlock(config, scope.child("mid_block"), x);
  config.upKinds.forEach((kind, level) => {
    const block = scope.child("up_blocks", level);
    const width = widths[level];
    for (let layer3 = 0; layer3 <= layersPerBlock; layer3 += 1) {
      x = residualBlock2(config, block.child("resnets", layer3), x, width);
      if (kind === "attention") {
        const positions = positionsAt(widths.length - 1 - level);
        x = spatialAttention(block.child("attentions", layer3), x, numGroups, positions);
      }
    }
    if (level < widths.length - 1) x = convolution2(block, "upsamplers.0.conv", upsampleNearest(x), width);
  });
  x = silu(groupNorm2(scope, "conv_norm_out", x, numGroups));
  const pixels = convolution2(scope, "conv_out", x, config.outChannels);
  return { pixels: config.outChannels === 1 ? concat([pixels, pixels, pixels], 1) : pixels };
}
function attentionPositions({ widths }, pixels) {
  return Object.fromEntries(widths.map((_, level) => [positionsAt(level), pixels / 4 ** level]));
}
function midBlock(config, weights, x) {
  const width = x.shape[1];
  const { numGroups, hasMidAttention, widths } = config;
  let result = residualBlock2(config, weights.child("resnets", 0), x, width);
  if (hasMidAttention) {
    const positions = positionsAt(widths.length - 1);
    result = spatialAttention(weights.child("attentions", 0), result, numGroups, positions);
  }
  return residualBlock2(config, weights.child("resnets", 1), result, width);
}
function residualBlock2({ activation, numGroups }, weights, x, width) {
  const layer3 = (norm2, name, from) => convolution2(weights, name, activation(groupNorm2(weights, norm2, from, numGroups)), width);
  const second = layer3("norm2", "conv2", layer3("norm1", "conv1", x));
  const shortcut = x.shape[1] === width ? x : pointwise2(weights, "conv_shortcut", x, width);
  return add(shortcut, second);
}
function spatialAttention(weights, x, numGroups, positions) {
  const width = x.shape[1];
  const normed = groupNorm2(weights, "group_norm", x, numGroups);
  const tokens = transpose(reshape(normed, [width, positions]), [1, 0]);
  const [query, key, value, out] = ATTENTION_LAYERS.map(
    ([name, oldName2]) => (from) => linear(weights, weights.hasChild(oldName2) ? oldName2 : name, from, width)
  );
  const attended2 = attend(query(tokens), key(tokens), value(tokens), { numHeads: 1 });
  const output = transpose(out(attended2), [1, 0]);
  return add(x, reshapeLike(output, x));
}
function groupNorm2(weights, name, x, numGroups) {
  const scope = weights.child(name);
  const width = x.shape[1];
  return groupNorm(x, scope.tensor("weight", [width]), scope.tensor("bias", [width]), numGroups, EPSILON2);
}
function convolution2(weights, name, x, width, options = { padding: [1, 1, 1, 1] }) {
  return convolutionOf(weights, name, x, width, 3, options);
}
function convolutionOf(weights, name, x, width, kernel, options) {
  const scope = weights.child(name);
  const weight2 = scope.tensor("weight", [width, x.shape[1], kernel, kernel]);
  return conv2d(x, weight2, scope.tensor("bias", [width]), options);
}
var EPSILON2, positionsAt, ATTENTION_LAYERS, pointwise2;
var init_autoencoder_kl = __esm({
  "src/models/autoencoders/autoencoder-kl.ts"() {
    "use strict";
    init_graph();
    init_ops();
    init_layers();
    EPSILON2 = 1e-6;
    positionsAt = (level) => `positions of level ${level}`;
    ATTENTION_LAYERS = [
      ["to_q", "query"],
      ["to_k", "key"],
      ["to_v", "value"],
      ["to_out.0", "proj_attn"]
    ];
    pointwise2 = (weights, name, x, width) => convolutionOf(weights, name, x, width, 1, {});
  }
});

// src/models/text-encoders/t5.ts
function t5Encoder(config, weights, { length: length2 }) {
  const { width, numHeads, headSize } = config;
  const tokenIds = input("tokenIds", "int64", [length2]);
  const own = weights.hasChild(PREFIX) ? weights.child(PREFIX) : weights;
  let hiddenStates = embedded(config, own, tokenIds);
  const encoder = own.child("encoder");
  let bias;
  for (let index = 0; index < config.numLayers; index += 1) {
    const [attentionLayer, mlpLayer] = [
      encoder.child("block", index, "layer.0"),
      encoder.child("block", index, "layer.1")
    ];
    const attention2 = attentionLayer.child("SelfAttention");
    const normed = rmsNorm2(attentionLayer, "layer_norm", hiddenStates, config.epsilon);
    const [query, key, value] = ["q", "k", "v"].map(
      (name) => plainLinear(attention2, name, normed, numHeads * headSize)
    );
    bias ??= positionBias(config, attention2, length2);
    const attended2 = attend(query, key, value, { numHeads, scale: 1, bias });
    hiddenStates = add(hiddenStates, plainLinear(attention2, "o", attended2, width));
    const mlpInput = rmsNorm2(mlpLayer, "layer_norm", hiddenStates, config.epsilon);
    hiddenStates = add(hiddenStates, feedForward(config, mlpLayer.child("DenseReluDense"), mlpInput));
  }
  return { promptEmbeds: rmsNorm2(encoder, "final_layer_norm", hiddenStates, config.epsilon) };
}
function embedded(config, weights, tokenIds) {
  const [shared, own] = ["shared.weight", "encoder.embed_tokens.weight"];
  const stored = weights.has(own) ? own : shared;
  if (stored === own) weights.ignore(shared);
  return weights.rows(stored, [config.vocabularySize, config.width], tokenIds);
}
function feedForward(config, weights, x) {
  const { mlpWidth, activation, isGated } = config;
  const up = isGated ? mul(
    activation(plainLinear(weights, "wi_0", x, mlpWidth)),
    plainLinear(weights, "wi_1", x, mlpWidth)
  ) : activation(plainLinear(weights, "wi", x, mlpWidth));
  return plainLinear(weights, "wo", up, config.width);
}
function positionBias(config, weights, length2) {
  const table = weights.child("relative_attention_bias").tensor("weight", [config.numBuckets, config.numHeads]);
  const buckets = typeof length2 === "number" ? constant(positionBuckets(config, length2), [1, length2, length2]) : input("positionBuckets", "int64", [1, length2, length2]);
  return transpose(gather(table, buckets), [0, 3, 1, 2]);
}
function positionBuckets(config, length2) {
  const buckets = new BigInt64Array(length2 * length2);
  const ofOffset = Array.from(
    { length: 2 * length2 },
    (_, index) => BigInt(relativePositionBucket(index - length2, config))
  );
  for (let query = 0; query < length2; query += 1) {
    for (let key = 0; key < length2; key += 1) {
      buckets[query * length2 + key] = ofOffset[key - query + length2];
    }
  }
  return buckets;
}
function relativePositionBucket(offset, { numBuckets, maxDistance }) {
  const half = Math.floor(numBuckets / 2);
  const base = offset > 0 ? half : 0;
  const distance = Math.abs(offset);
  const numExact = Math.floor(half / 2);
  if (distance < numExact) return base + distance;
  const ratio = Math.fround(Math.log(Math.fround(distance / numExact)));
  const scaled3 = Math.fround(Math.fround(ratio / Math.log(maxDistance / numExact)) * (half - numExact));
  return base + Math.min(half - 1, numExact + Math.trunc(scaled3));
}
var PREFIX;
var init_t52 = __esm({
  "src/models/text-encoders/t5.ts"() {
    "use strict";
    init_graph();
    init_ops();
    init_layers();
    PREFIX = "transformer";
  }
});

// src/models/autoencoders/memory.ts
function decoderBytes({ decoderWidths: decoderWidths2 }, size, tileSide) {
  const widest = Math.max(
    ...decoderWidths2.map((width, level) => (decoderWidths2[level + 1] ?? width) / 4 ** level)
  );
  return bytesOf4(DECODER_PLANES * widest, size, tileSide);
}
function encoderBytes({ widths }, size, tileSide) {
  const widest = Math.max(...widths.map((width, level) => width / 4 ** level));
  return bytesOf4(ENCODER_PLANES * widest, size, tileSide);
}
function bytesOf4(planes, { width, height }, tileSide = Infinity) {
  const atOnce = Math.min(width, tileSide) * Math.min(height, tileSide);
  return (planes * atOnce + PIXEL_COPIES * COLOURS * width * height) * FLOAT3;
}
var FLOAT3, DECODER_PLANES, ENCODER_PLANES, COLOURS, PIXEL_COPIES;
var init_memory = __esm({
  "src/models/autoencoders/memory.ts"() {
    "use strict";
    FLOAT3 = 4;
    DECODER_PLANES = 5;
    ENCODER_PLANES = 4;
    COLOURS = 3;
    PIXEL_COPIES = 2;
  }
});

// src/pipelines/shared/components.ts
function encoderComponent(autoencoder, build) {
  return {
    name: "encoder",
    weights: "vae",
    folder: "vae",
    build,
    isTiled: true,
    leastPrecision: "fp32",
    // One image at a time.
    workingBytes: ({ references }, tileSide) => Math.max(0, ...references.map((size) => encoderBytes(autoencoder, size, tileSide))),
    runs: ({ references }) => ({
      times: references.length,
      dims: attentionPositions(autoencoder, references.length === 0 ? 0 : pixelsOf(references[0]))
    }),
    trial: halfTrial("encoder", autoencoder)
  };
}
function decoderComponent(autoencoder, build) {
  return {
    name: "decoder",
    weights: "vae",
    folder: "vae",
    build,
    isTiled: true,
    leastPrecision: "fp32",
    workingBytes: ({ target }, tileSide) => decoderBytes(autoencoder, target, tileSide),
    runs: ({ target }) => ({ times: 1, dims: attentionPositions(autoencoder, pixelsOf(target)) }),
    trial: halfTrial("decoder", autoencoder)
  };
}
function halfTrial(half, { scaleFactor }) {
  const { width, height } = TRIAL_CELLS;
  return {
    part: `the autoencoder's ${half}`,
    dims: { width: width * scaleFactor, height: height * scaleFactor, w: width, h: height }
  };
}
var TRIAL_CELLS, TRIAL_TOKENS, passesOf, pixelsOf;
var init_components2 = __esm({
  "src/pipelines/shared/components.ts"() {
    "use strict";
    init_autoencoder_kl();
    init_memory();
    TRIAL_CELLS = { width: 8, height: 10 };
    TRIAL_TOKENS = { text: 45, target: 130, reference: 130 };
    passesOf = ({ isNegativeUsed: isNegativeUsed2 }) => isNegativeUsed2 ? 2 : 1;
    pixelsOf = ({ width, height }) => width * height;
  }
});

// src/lora/layout-targets.ts
function layoutTargets(layout, { areHalvesSwapped = true } = {}) {
  const targets = /* @__PURE__ */ new Map();
  const add2 = (name, target) => void targets.set(comparable(name), target);
  for (const entry2 of layout) {
    const target = targetOf(entry2, areHalvesSwapped);
    if (target === void 0) continue;
    add2(moduleOf(entry2.key), target);
    if ("norm" in target) add2(target.norm, target);
    else for (const part of target.parts) add2(part.layer, { ...target, parts: [part], isSwapped: false });
  }
  return targets;
}
function targetOf({ key, shape, parts, isSwapped = false }, areHalvesSwapped) {
  const [size, columns] = shape;
  if (columns === void 0) {
    return key.endsWith(".scale") ? { norm: moduleOf(parts[0].key), size } : void 0;
  }
  const layers = parts.map((part) => ({ layer: moduleOf(part.key), rows: part.shape[0] }));
  return { columns, parts: layers, isSwapped: isSwapped && areHalvesSwapped };
}
var PREFIX2, withoutPrefix2, comparable, moduleOf;
var init_layout_targets = __esm({
  "src/lora/layout-targets.ts"() {
    "use strict";
    PREFIX2 = /^(?:base_model\.model\.)?(?:transformer\.|(?:model\.)?diffusion_model\.|lora_unet_|lora_transformer_|lycoris_)?/;
    withoutPrefix2 = (module) => module.replace(PREFIX2, "");
    comparable = (name) => name.replaceAll(".", "_");
    moduleOf = (key) => key.replace(/\.(?:weight|scale)$/, "");
  }
});

// src/lora/targets.ts
var TEXT_ENCODER;
var init_targets = __esm({
  "src/lora/targets.ts"() {
    "use strict";
    TEXT_ENCODER = "text_encoder.";
  }
});

// src/pipelines/flux1-kontext/lora-targets.ts
function createFindTarget(flux, clip2) {
  const layers = fluxTargets(flux);
  const texts = clip2 === void 0 ? /* @__PURE__ */ new Map() : clipTargets(clip2);
  return (module) => {
    if (TEXT_PREFIX.test(module)) return texts.get(comparable(oldTextName(module.replace(TEXT_PREFIX, ""))));
    const bare = oldName(withoutPrefix2(module));
    const [pattern, original] = XLABS.find(([known]) => known.test(bare)) ?? [];
    return layers.get(comparable(pattern ? bare.replace(pattern, original) : bare));
  };
}
function oldName(name) {
  const plain = name.replace(OLD_PROCESSOR, ".$1").replace(OLD_ATTENTION, "$1");
  return plain === name ? name : plain.replace(/(?<=\.)to_out$/, "to_out.0");
}
function fluxTargets(config) {
  const targets = layoutTargets(originalFluxLayout(config));
  for (let index = 0; index < config.numSingleBlocks; index += 1) {
    const fused = targets.get(comparable(`single_blocks.${index}.linear1`));
    const target = { ...fused, parts: fused.parts.slice(0, 3) };
    targets.set(comparable(`single_blocks.${index}.qkv`), target);
  }
  return targets;
}
function clipTargets({ width, mlpWidth, numLayers }) {
  const projections = ["q_proj", "k_proj", "v_proj", "out_proj"].map((name) => `self_attn.${name}`);
  const sizes = [
    ...projections.map((name) => [name, width, width]),
    ["mlp.fc1", mlpWidth, width],
    ["mlp.fc2", width, mlpWidth]
  ];
  const entries = Array.from(
    { length: numLayers },
    (_, index) => sizes.map(([name, rows2, columns]) => {
      const layer3 = `encoder.layers.${index}.${name}`;
      return [
        comparable(layer3),
        { columns, parts: [{ layer: clipLoraName(layer3), rows: rows2 }], isSwapped: false }
      ];
    })
  );
  return new Map(entries.flat());
}
var TEXT_PREFIX, XLABS, OLD_PROCESSOR, OLD_ATTENTION, OLD_TEXT_NAMES, clipLoraName, oldTextName;
var init_lora_targets = __esm({
  "src/pipelines/flux1-kontext/lora-targets.ts"() {
    "use strict";
    init_layout_targets();
    init_targets();
    init_original_flux();
    TEXT_PREFIX = /^(?:base_model\.model\.)?(?:text_encoder\.|text_encoders\.clip_l\.transformer\.|lora_te1?_)(?:text_model[._])?/;
    XLABS = [
      [/^(double_blocks\.\d+)\.processor\.qkv_lora1$/, "$1.img_attn.qkv"],
      [/^(double_blocks\.\d+)\.processor\.qkv_lora2$/, "$1.txt_attn.qkv"],
      [/^(double_blocks\.\d+)\.processor\.proj_lora1$/, "$1.img_attn.proj"],
      [/^(double_blocks\.\d+)\.processor\.proj_lora2$/, "$1.txt_attn.proj"],
      [/^(single_blocks\.\d+)\.processor\.qkv_lora$/, "$1.qkv"],
      [/^(single_blocks\.\d+)\.processor\.proj_lora$/, "$1.linear2"]
    ];
    OLD_PROCESSOR = /\.processor\.(to_(?:q|k|v|out))_lora$/;
    OLD_ATTENTION = /(?<=\.)(to_(?:q|k|v|out))_lora$/;
    OLD_TEXT_NAMES = {
      to_q: "q_proj",
      to_k: "k_proj",
      to_v: "v_proj",
      to_out: "out_proj"
    };
    clipLoraName = (key) => `${TEXT_ENCODER}${key.replace(/^text_model\./, "")}`;
    oldTextName = (name) => name.replace(OLD_ATTENTION, (_, projection) => OLD_TEXT_NAMES[projection]);
  }
});

// src/pipelines/flux1-kontext/trials.ts
function clipTrial(clip2, length2) {
  const first = { ...clip2, numLayers: Math.min(1, clip2.numLayers) };
  return {
    part: "the first layer of CLIP",
    build: (weights) => clipTextEncoder(first, weights, { length: length2 }),
    dims: {},
    inputs: (numbers) => ({
      tokenIds: numbers.whole([length2], clip2.vocabularySize),
      endPosition: numbers.whole([1], length2)
    })
  };
}
function t5Trial(t5) {
  const first = { ...t5, numLayers: Math.min(1, t5.numLayers) };
  const { text: text3 } = TRIAL_TOKENS;
  return {
    part: "the first layer of T5",
    build: (weights) => t5Encoder(first, weights, { length: "text" }),
    dims: { text: text3 },
    inputs: (numbers) => ({
      tokenIds: numbers.whole([text3], t5.vocabularySize),
      positionBuckets: { data: positionBuckets(t5, text3), shape: [1, text3, text3] }
    })
  };
}
var modulationTrial, transformerTrial, firstBlocks;
var init_trials = __esm({
  "src/pipelines/flux1-kontext/trials.ts"() {
    "use strict";
    init_clip2();
    init_t52();
    init_flux_modulation();
    init_flux();
    init_components2();
    modulationTrial = (flux) => ({
      part: "the modulation of the first blocks",
      build: (weights) => fluxModulation(firstBlocks(flux), weights),
      dims: { steps: 3 },
      inputs: () => ({
        sigmas: { data: Float32Array.of(1, 0.6, 0.03), shape: [3] },
        ...flux.hasGuidance && { guidance: { data: Float32Array.of(2.5), shape: [1] } }
      })
    });
    transformerTrial = (flux, dims) => ({
      part: "the first blocks of the transformer",
      build: (weights, { computeType } = {}) => fluxTransformer(firstBlocks(flux), weights, { textLength: "text", computeType }),
      dims,
      inputs(numbers) {
        const { cos: rotaryCos, sin: rotarySin } = numbers.angles([1, dims["tokens"], flux.headSize / 2]);
        return { rotaryCos, rotarySin };
      },
      isTimed: true
    });
    firstBlocks = (flux) => ({
      ...flux,
      numDoubleBlocks: Math.min(1, flux.numDoubleBlocks),
      numSingleBlocks: Math.min(1, flux.numSingleBlocks)
    });
  }
});

// src/pipelines/flux1-kontext/components.ts
function planKontext(configs) {
  const { flux, autoencoder } = configs;
  return {
    components: [
      clipComponent(configs),
      t5Component(configs),
      encoderComponent(autoencoder, (weights) => autoencoderEncoder(autoencoder, weights)),
      modulationComponent(flux),
      transformerComponent(configs),
      decoderComponent(autoencoder, (weights) => autoencoderDecoder(autoencoder, weights))
    ],
    native: nativeScale(autoencoder),
    heldBytes: (edit) => passesOf(edit) * modulationBytes(flux, edit)
  };
}
function clipComponent({ clip: clip2, clipLength }) {
  return {
    name: "clip",
    weights: "clip",
    folder: "text_encoder",
    build: (weights) => clipTextEncoder(clip2, weights, { length: clipLength }),
    isAdaptable: true,
    loraName: clipLoraName,
    leastPrecision: "fp32",
    workingBytes: () => textBytes(clip2, clipLength),
    runs: (edit) => ({ times: passesOf(edit), dims: {} }),
    trial: clipTrial(clip2, clipLength)
  };
}
function t5Component({ t5, t5Length }) {
  return {
    name: "t5",
    weights: "t5",
    folder: "text_encoder_2",
    build: (weights) => t5Encoder(t5, weights, { length: "text" }),
    leastPrecision: "int4",
    workingBytes: ({ textLength = t5Length }) => textBytes(t5, textLength),
    runs: (edit) => ({ times: passesOf(edit), dims: { text: edit.textLength ?? t5Length } }),
    trial: t5Trial(t5)
  };
}
function modulationComponent(flux) {
  return {
    name: "modulation",
    weights: "transformer",
    folder: "transformer",
    build: (weights) => fluxModulation(flux, weights),
    isAdaptable: true,
    // Noise levels may differ by only a thousandth, so 8 bits is the minimum.
    leastPrecision: "int8",
    workingBytes: (edit) => 2 * modulationBytes(flux, edit),
    runs: (edit) => ({ times: passesOf(edit), dims: { steps: edit.numSteps } }),
    trial: modulationTrial(flux)
  };
}
function transformerComponent({ flux, autoencoder, t5Length }) {
  const tokensOf2 = ({ target, references, textLength = t5Length }) => ({
    text: textLength,
    target: cellsOf(target, autoencoder) / 4,
    reference: references.reduce((sum, size) => sum + cellsOf(size, autoencoder) / 4, 0)
  });
  return {
    name: "transformer",
    weights: "transformer",
    folder: "transformer",
    build: (weights, { computeType } = {}) => fluxTransformer(flux, weights, { textLength: "text", computeType }),
    isAdaptable: true,
    leastPrecision: "int4",
    workingBytes(edit) {
      const { tokens } = dimsOf(tokensOf2(edit));
      return TRANSFORMER_ROWS * tokens * flux.numHeads * flux.headSize * FLOAT4;
    },
    runs: (edit) => ({ times: edit.numSteps * passesOf(edit), dims: dimsOf(tokensOf2(edit)) }),
    trial: transformerTrial(flux, dimsOf(TRIAL_TOKENS))
  };
}
function textBytes({ width, mlpWidth, numHeads }, length2) {
  return (2 * numHeads * length2 ** 2 + length2 * (3 * mlpWidth + 4 * width)) * FLOAT4;
}
var FLOAT4, TRANSFORMER_ROWS, nativeScale, modulationBytes, dimsOf, cellsOf;
var init_components3 = __esm({
  "src/pipelines/flux1-kontext/components.ts"() {
    "use strict";
    init_autoencoder_kl();
    init_count();
    init_clip2();
    init_t52();
    init_flux_modulation();
    init_flux();
    init_components2();
    init_lora_targets();
    init_trials();
    FLOAT4 = 4;
    TRANSFORMER_ROWS = 17;
    nativeScale = ({ sampleSize, scaleFactor }) => ({
      area: sampleSize ** 2,
      grid: 2 * scaleFactor
    });
    modulationBytes = (flux, { numSteps }) => numSteps * modulationSize(flux) * FLOAT4;
    dimsOf = ({ text: text3, target, reference }) => ({
      text: text3,
      target,
      reference,
      images: target + reference,
      tokens: text3 + target + reference
    });
    cellsOf = (size, { scaleFactor }) => pixelsOf(size) / scaleFactor ** 2;
  }
});

// src/engine/abort.ts
function throwIfAborted2(signal) {
  if (signal?.aborted) throw abortError(signal);
}
var abortError;
var init_abort = __esm({
  "src/engine/abort.ts"() {
    "use strict";
    init_errors();
    abortError = (signal) => new RetouchError("ABORTED", "The edit was cancelled.", { cause: signal.reason });
  }
});

// src/sampling/guidance.ts
function withTrueGuidance(positive, negative, scale) {
  return async (question) => {
    const velocity = await positive(question);
    for (const [index, from] of (await negative(question)).entries()) {
      velocity[index] = from + Math.fround(scale * Math.fround(velocity[index] - from));
    }
    return velocity;
  };
}
var init_guidance = __esm({
  "src/sampling/guidance.ts"() {
    "use strict";
  }
});

// src/sampling/random.ts
function manyNormals(count, generator) {
  const values = new Float32Array(count);
  for (let index = 0; index < count; index += 1) values[index] = uniform24(generator);
  for (let start = 0; start + BLOCK2 <= count; start += BLOCK2) toNormal(values, start);
  if (count % BLOCK2 !== 0) {
    const start = count - BLOCK2;
    for (let index = start; index < count; index += 1) values[index] = uniform24(generator);
    toNormal(values, start);
  }
  return values;
}
function toNormal(values, start) {
  const { fround: fround4 } = Math;
  for (let index = start; index < start + BLOCK2 / 2; index += 1) {
    const u1 = fround4(1 - values[index]);
    const radius = fround4(Math.sqrt(fround4(-2 * fround4(Math.log(u1)))));
    const angle = fround4(fround4(2 * Math.PI) * values[index + BLOCK2 / 2]);
    values[index] = radius * fround4(Math.cos(angle));
    values[index + BLOCK2 / 2] = radius * fround4(Math.sin(angle));
  }
}
function uniform53(generator) {
  const high = generator.next() & 2097151;
  return (high * 2 ** 32 + generator.next()) * 2 ** -53;
}
var STATE_SIZE, BLOCK2, MersenneTwister, NormalStream, uniform24;
var init_random = __esm({
  "src/sampling/random.ts"() {
    "use strict";
    STATE_SIZE = 624;
    BLOCK2 = 16;
    MersenneTwister = class {
      #state = new Uint32Array(STATE_SIZE);
      #next = STATE_SIZE;
      constructor(seed) {
        this.#state[0] = Number(BigInt.asUintN(32, BigInt(seed)));
        for (let index = 1; index < STATE_SIZE; index += 1) {
          const previous = this.#state[index - 1];
          this.#state[index] = Math.imul(1812433253, previous ^ previous >>> 30) + index;
        }
      }
      /** 32 random bits. */
      next() {
        if (this.#next === STATE_SIZE) this.#twist();
        let bits2 = this.#state[this.#next];
        this.#next += 1;
        bits2 ^= bits2 >>> 11;
        bits2 ^= bits2 << 7 & 2636928640;
        bits2 ^= bits2 << 15 & 4022730752;
        return (bits2 ^ bits2 >>> 18) >>> 0;
      }
      #twist() {
        const state = this.#state;
        for (let index = 0; index < STATE_SIZE; index += 1) {
          const mixed4 = state[index] & 2147483648 | state[(index + 1) % STATE_SIZE] & 2147483647;
          const odd = mixed4 & 1 ? 2567483615 : 0;
          state[index] = state[(index + 397) % STATE_SIZE] ^ mixed4 >>> 1 ^ odd;
        }
        this.#next = 0;
      }
    };
    NormalStream = class {
      #generator;
      /** The second number of a pair, drawn by a call for few numbers and left for the next such call. */
      #left;
      /** @param seed a whole number from 0 to 2^53 - 1 */
      constructor(seed) {
        this.#generator = new MersenneTwister(seed);
      }
      /** `torch.randn(count)`. */
      draw(count) {
        return count < BLOCK2 ? this.#few(count) : manyNormals(count, this.#generator);
      }
      /** The Box-Muller transform in float64; each pair of uniform numbers gives two results. */
      #few(count) {
        return Float32Array.from({ length: count }, () => {
          const left = this.#left;
          this.#left = void 0;
          if (left !== void 0) return left;
          const angle = 2 * Math.PI * uniform53(this.#generator);
          const radius = Math.sqrt(-2 * Math.log1p(-uniform53(this.#generator)));
          this.#left = radius * Math.sin(angle);
          return radius * Math.cos(angle);
        });
      }
    };
    uniform24 = (generator) => (generator.next() & 16777215) * 2 ** -24;
  }
});

// src/sampling/noise.ts
var ALONE, BatchNoise;
var init_noise = __esm({
  "src/sampling/noise.ts"() {
    "use strict";
    init_random();
    ALONE = { index: 0, of: 1 };
    BatchNoise = class {
      #stream;
      #count;
      #place;
      /** @param count numbers of one image */
      constructor(seed, count, place) {
        this.#stream = new NormalStream(seed);
        this.#count = count;
        this.#place = place;
      }
      /** This image's part of the next draw. */
      next() {
        const { index, of } = this.#place;
        return this.#stream.draw(this.#count * of).slice(this.#count * index, this.#count * (index + 1));
      }
      /** Passes over draws that an earlier run used. */
      skip(draws) {
        for (let draw = 0; draw < draws; draw += 1) this.#stream.draw(this.#count * this.#place.of);
      }
    };
  }
});

// src/pipelines/shared/given.ts
function checkShape(field, tensor, wanted) {
  if (tensor === void 0) return;
  const isRight2 = tensor.shape.every((dim, axis) => dim === wanted[axis] || typeof wanted[axis] === "string");
  if (isRight2) return;
  const [found, right] = [tensor.shape, wanted].map((shape) => `[${shape.join(", ")}]`);
  throw invalid("type", { field, wanted: `a tensor of the shape ${right} here, not ${found}` });
}
var textLengthOf;
var init_given = __esm({
  "src/pipelines/shared/given.ts"() {
    "use strict";
    init_errors();
    textLengthOf = (usual, { maxSequenceLength = usual }, { embeds, negativeEmbeds }) => Math.max(...[embeds, negativeEmbeds].map((given) => given?.promptEmbeds.shape[0] ?? maxSequenceLength));
  }
});

// src/pipelines/shared/modulation.ts
async function createModulation({ sigmas, timesteps }, schedule, compute) {
  const rows2 = await compute(timesteps);
  const known = new Map(rows2.map((row, step) => [sigmas[step], row]));
  return async (sigma) => known.get(sigma) ?? (await compute(Float32Array.of(timestepOf(sigma, schedule))))[0];
}
var init_modulation = __esm({
  "src/pipelines/shared/modulation.ts"() {
    "use strict";
    init_flow_match();
  }
});

// src/pipelines/shared/notices.ts
var cutNotice;
var init_notices = __esm({
  "src/pipelines/shared/notices.ts"() {
    "use strict";
    cutNotice = (name, numTokens) => `The ${name} is longer than the ${numTokens} tokens that this checkpoint reads; its end was left out.`;
  }
});

// src/pipelines/flux1-kontext/conditioning.ts
function checkGiven({ flux }, given, numTokens) {
  const { embeds, negativeEmbeds, latents } = given;
  checkShape("promptEmbeds", embeds?.promptEmbeds, ["L", flux.promptSize]);
  checkShape("pooledPromptEmbeds", embeds?.pooledPromptEmbeds, [1, flux.pooledSize]);
  checkShape("negativePromptEmbeds", negativeEmbeds?.promptEmbeds, ["L", flux.promptSize]);
  checkShape("negativePooledPromptEmbeds", negativeEmbeds?.pooledPromptEmbeds, [1, flux.pooledSize]);
  checkShape("latents", latents, [numTokens, flux.inChannels]);
}
async function encodePrompts(networks2, request, { embeds, negativeEmbeds }, { hasNegative, adapters }) {
  const { prompt, prompt2, negativePrompt, maxSequenceLength: length2 } = request;
  const positive = embeds ? promptOf(embeds) : await networks2.encodePrompt({ prompt, prompt2, length: length2 }, adapters);
  if (!hasNegative) return { positive, negative: void 0 };
  const negative = negativeEmbeds ? promptOf(negativeEmbeds) : await networks2.encodePrompt({ prompt: negativePrompt, length: length2 }, adapters);
  return { positive, negative };
}
async function velocityOf(networks2, prompt, inputs, { sigmas, timesteps, guidance }) {
  const levels = { sigmas, timesteps };
  const modulationAt = await createModulation(
    levels,
    networks2.schedule,
    (wanted) => networks2.modulations(wanted, guidance, prompt, inputs.adapters)
  );
  return async ({ latents, sigma }) => networks2.velocity({ ...inputs, prompt, latents, modulation: await modulationAt(sigma) });
}
var promptOf, cutNotices;
var init_conditioning = __esm({
  "src/pipelines/flux1-kontext/conditioning.ts"() {
    "use strict";
    init_given();
    init_modulation();
    init_notices();
    promptOf = (embeds) => ({
      promptEmbeds: embeds.promptEmbeds,
      pooledPromptEmbeds: embeds.pooledPromptEmbeds,
      clipTokenIds: [],
      t5TokenIds: [],
      isCut: false
    });
    cutNotices = ({ positive, negative }) => [
      ...positive.isCut ? [cutNotice("prompt", positive.promptEmbeds.shape[0])] : [],
      ...negative?.isCut ? [cutNotice("negative prompt", negative.promptEmbeds.shape[0])] : []
    ];
  }
});

// src/pipelines/flux1-kontext/latents.ts
function latentIds({ width, height }, stream3) {
  const [numRows, numColumns] = [height >> 1, width >> 1];
  const ids = new Float32Array(numRows * numColumns * 3);
  for (let index = 0; index < numRows * numColumns; index += 1) {
    ids.set([stream3, Math.floor(index / numColumns), index % numColumns], index * 3);
  }
  return ids;
}
var textIds;
var init_latents = __esm({
  "src/pipelines/flux1-kontext/latents.ts"() {
    "use strict";
    textIds = (length2) => new Float32Array(length2 * 3);
  }
});

// src/sampling/euler.ts
function moved(latents, velocity, sigmaChange) {
  const change = fround3(sigmaChange);
  return latents.map((value, index) => value + fround3(change * velocity[index]));
}
function mixed(image, noise, sigma) {
  const rest = fround3(1 - sigma);
  return image.map((value, index) => fround3(rest * value) + fround3(sigma * noise[index]));
}
var fround3, eulerSampler;
var init_euler = __esm({
  "src/sampling/euler.ts"() {
    "use strict";
    ({ fround: fround3 } = Math);
    eulerSampler = async function* (velocity, start, { sigmas, noise, afterStep, from }) {
      let latents = start;
      const last = sigmas.at(-1);
      for (let index = from?.step ?? 0; index < sigmas.length - 1; index += 1) {
        const [sigma, next] = [sigmas[index], sigmas[index + 1]];
        const current = latents;
        const direction = await velocity({ latents: current, sigma });
        latents = noise ? mixed(moved(current, direction, -sigma), noise(), next) : moved(current, direction, next - sigma);
        if (afterStep) latents = afterStep(latents, next);
        yield { index, latents, estimate: () => moved(current, direction, last - sigma) };
      }
      return latents;
    };
  }
});

// src/images/picture.ts
function plainBytes(buffer) {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
function padPicture(picture, width, height) {
  if (width < picture.width || height < picture.height) {
    throw new RangeError(`Cannot pad ${picture.width} x ${picture.height} pixels to ${width} x ${height}.`);
  }
  if (width === picture.width && height === picture.height) return picture;
  const data = new Uint8Array(width * height * CHANNELS);
  const rowBytes2 = width * CHANNELS;
  const filledBytes = picture.width * CHANNELS;
  for (let y = 0; y < picture.height; y++) {
    const row = data.subarray(y * rowBytes2, (y + 1) * rowBytes2);
    row.set(picture.data.subarray(y * filledBytes, (y + 1) * filledBytes));
    for (let i = filledBytes; i < rowBytes2; i++) row[i] = row[i - CHANNELS];
  }
  const lastRowOffset = (picture.height - 1) * rowBytes2;
  for (let y = picture.height; y < height; y++) {
    data.copyWithin(y * rowBytes2, lastRowOffset, lastRowOffset + rowBytes2);
  }
  return { width, height, data };
}
function cropPicture(picture, width, height, from = { left: 0, top: 0 }) {
  if (from.left + width > picture.width || from.top + height > picture.height) {
    throw new RangeError(
      `Cannot crop ${width} x ${height} pixels from ${picture.width} x ${picture.height}.`
    );
  }
  if (width === picture.width && height === picture.height) return picture;
  const data = new Uint8Array(width * height * CHANNELS);
  const rowBytes2 = width * CHANNELS;
  for (let y = 0; y < height; y++) {
    const start = ((from.top + y) * picture.width + from.left) * CHANNELS;
    data.set(picture.data.subarray(start, start + rowBytes2), y * rowBytes2);
  }
  return { width, height, data };
}
function pictureToPixels(picture) {
  const planeSize = picture.width * picture.height;
  const pixels = new Float32Array(CHANNELS * planeSize);
  for (let channel = 0; channel < CHANNELS; channel++) {
    for (let i = 0; i < planeSize; i++) {
      pixels[channel * planeSize + i] = PIXEL_OF_VALUE[picture.data[i * CHANNELS + channel]];
    }
  }
  return pixels;
}
function pixelsToPicture(pixels, width, height) {
  const planeSize = width * height;
  if (pixels.length !== CHANNELS * planeSize) {
    throw new RangeError(`${pixels.length} numbers are not an image of ${width} x ${height} pixels.`);
  }
  const data = new Uint8Array(CHANNELS * planeSize);
  for (let channel = 0; channel < CHANNELS; channel++) {
    for (let i = 0; i < planeSize; i++) {
      data[i * CHANNELS + channel] = pixelToValue(pixels[channel * planeSize + i]);
    }
  }
  return { width, height, data };
}
function pixelToValue(pixel) {
  const unit = Math.fround(pixel * 0.5 + 0.5);
  const scaled3 = Math.fround(Math.min(Math.max(unit, 0), 1) * MAX_VALUE);
  const floor = Math.floor(scaled3);
  const fraction = scaled3 - floor;
  if (fraction === 0.5) return floor + floor % 2;
  return fraction > 0.5 ? floor + 1 : floor;
}
var CHANNELS, MAX_VALUE, PIXEL_OF_VALUE;
var init_picture = __esm({
  "src/images/picture.ts"() {
    "use strict";
    CHANNELS = 3;
    MAX_VALUE = 255;
    PIXEL_OF_VALUE = Float32Array.from(
      { length: MAX_VALUE + 1 },
      (_, value) => 2 * Math.fround(value / MAX_VALUE) - 1
    );
  }
});

// src/images/enlarge.ts
function enlargePicture(picture, width, height) {
  const rows2 = stretchRows(picture, width);
  const rowSize = width * CHANNELS2;
  const data = new Uint8Array(height * rowSize);
  const sum = new Float32Array(rowSize);
  for (const [y, { first, weights }] of tapsOf(picture.height, height).entries()) {
    sum.fill(0);
    for (let k = 0; k < weights.length; k++) {
      const weight2 = weights[k];
      const start = (first + k) * rowSize;
      for (let i = 0; i < rowSize; i++) sum[i] += weight2 * rows2[start + i];
    }
    const offset = y * rowSize;
    for (let i = 0; i < rowSize; i++) data[offset + i] = Math.min(Math.max(sum[i] + 0.5, 0), 255);
  }
  return { width, height, data };
}
function stretchRows(picture, width) {
  const { data, height } = picture;
  const rows2 = new Float32Array(height * width * CHANNELS2);
  const taps = tapsOf(picture.width, width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const { first, weights } = taps[x];
      let offset = (y * picture.width + first) * CHANNELS2;
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let k = 0; k < weights.length; k++, offset += CHANNELS2) {
        const weight2 = weights[k];
        red += weight2 * data[offset];
        green += weight2 * data[offset + 1];
        blue += weight2 * data[offset + 2];
      }
      const target = (y * width + x) * CHANNELS2;
      rows2[target] = red;
      rows2[target + 1] = green;
      rows2[target + 2] = blue;
    }
  }
  return rows2;
}
function tapsOf(inputSize, outputSize) {
  const scale = inputSize / outputSize;
  const stretch2 = Math.max(scale, 1);
  const reach = LOBES * stretch2;
  return Array.from({ length: outputSize }, (_, position) => {
    const centre = (position + 0.5) * scale;
    const first = Math.max(Math.floor(centre - reach + 0.5), 0);
    const end = Math.min(Math.floor(centre + reach + 0.5), inputSize);
    const weights = Float32Array.from(
      { length: end - first },
      (__, k) => lanczos((first + k + 0.5 - centre) / stretch2)
    );
    const total2 = weights.reduce((sum, weight2) => sum + weight2, 0);
    return { first, weights: weights.map((weight2) => weight2 / total2) };
  });
}
function lanczos(x) {
  if (x === 0) return 1;
  if (Math.abs(x) >= LOBES) return 0;
  const angle = Math.PI * x;
  return LOBES * Math.sin(angle) * Math.sin(angle / LOBES) / (angle * angle);
}
var CHANNELS2, LOBES;
var init_enlarge = __esm({
  "src/images/enlarge.ts"() {
    "use strict";
    CHANNELS2 = 3;
    LOBES = 3;
  }
});

// src/images/sharp.ts
var loadSharp;
var init_sharp = __esm({
  "src/images/sharp.ts"() {
    "use strict";
    loadSharp = async () => (await import("sharp")).default;
  }
});

// src/images/resize.ts
async function resizePicture(picture, width, height) {
  if (picture.width === width && picture.height === height) return picture;
  if (width > picture.width || height > picture.height) return enlargePicture(picture, width, height);
  const sharp = await loadSharp();
  const { data } = await sharp(picture.data, {
    raw: { width: picture.width, height: picture.height, channels: 3 },
    limitInputPixels: false
  }).resize(width, height, { kernel: "lanczos3", fit: "fill" }).raw().toBuffer({ resolveWithObject: true });
  return { width, height, data: plainBytes(data) };
}
var init_resize = __esm({
  "src/images/resize.ts"() {
    "use strict";
    init_enlarge();
    init_picture();
    init_sharp();
  }
});

// src/engine/sizes.ts
function planSizes(images, size, native) {
  const resultSize = size ?? (images[0] ? defaultSize(images[0]) : nativeSquare(native));
  const target = targetSize(resultSize, native);
  return {
    size: resultSize,
    target,
    references: images.map(
      (image, index) => index > 0 && native.isSmallKept ? ownSize(image, native) : referenceSize(image, target, native)
    )
  };
}
function nativeSquare({ area }) {
  const side = Math.round(Math.sqrt(area));
  return { width: side, height: side };
}
function defaultSize(picture) {
  const factor = Math.min(1, MAX_DEFAULT_SIDE / Math.max(picture.width, picture.height));
  const side = (length2) => Math.max(MIN_SIDE, Math.round(length2 * factor));
  return { width: side(picture.width), height: side(picture.height) };
}
function targetSize(size, native) {
  const factor = Math.min(1, Math.sqrt(native.area / (size.width * size.height)));
  return onGrid(scaled2(size, factor), native.grid);
}
function referenceSize(picture, target, native) {
  const fitted = fitInside(picture, target.content);
  const isNear = (slack) => target.content.width - fitted.width <= slack && target.content.height - fitted.height <= slack;
  if (isNear(1)) return target;
  if (isNear(native.grid)) return { content: fitted, canvas: target.canvas };
  return ownSize(picture, native);
}
function ownSize(picture, native) {
  const longest = Math.max(picture.width, picture.height);
  const factor = Math.min(
    Math.sqrt(native.area / (picture.width * picture.height)),
    native.area / native.grid / longest,
    native.isSmallKept ? 1 : Infinity
  );
  return onGrid(scaled2(picture, factor), native.grid);
}
function hasOneCanvas({ target, references }) {
  const [reference] = references;
  return reference !== void 0 && target.canvas.width === reference.canvas.width && target.canvas.height === reference.canvas.height && reference.content.width <= target.content.width && reference.content.height <= target.content.height;
}
function sourceInResult({ size, target, references }) {
  const reference = references[0];
  return {
    width: Math.round(reference.content.width * size.width / target.content.width),
    height: Math.round(reference.content.height * size.height / target.content.height)
  };
}
function fitInside(picture, frame) {
  const factor = Math.min(frame.width / picture.width, frame.height / picture.height);
  const { width, height } = scaled2(picture, factor);
  return { width: Math.min(width, frame.width), height: Math.min(height, frame.height) };
}
function onGrid(content, grid) {
  const up = (length2) => Math.ceil(length2 / grid) * grid;
  return { content, canvas: { width: up(content.width), height: up(content.height) } };
}
var MAX_DEFAULT_SIDE, MIN_SIDE, scaled2;
var init_sizes = __esm({
  "src/engine/sizes.ts"() {
    "use strict";
    MAX_DEFAULT_SIDE = 1536;
    MIN_SIDE = 16;
    scaled2 = ({ width, height }, factor) => ({
      width: Math.max(1, Math.round(width * factor)),
      height: Math.max(1, Math.round(height * factor))
    });
  }
});

// src/pipelines/shared/packing.ts
function packLatents(grid, numChannels, { width, height }) {
  const tokens = new Float32Array(grid.length);
  forEachCell(numChannels, { width, height }, (cell, packed) => tokens[packed] = grid[cell]);
  return tokens;
}
function unpackLatents(tokens, numChannels, { width, height }) {
  const grid = new Float32Array(tokens.length);
  forEachCell(numChannels, { width, height }, (cell, packed) => grid[cell] = tokens[packed]);
  return grid;
}
function forEachCell(numChannels, { width, height }, visit) {
  for (let channel = 0; channel < numChannels; channel += 1) {
    for (let row = 0; row < height; row += 1) {
      for (let column = 0; column < width; column += 1) {
        const token = (row >> 1) * (width >> 1) + (column >> 1);
        const within2 = channel * 4 + (row & 1) * 2 + (column & 1);
        visit((channel * height + row) * width + column, token * numChannels * 4 + within2);
      }
    }
  }
}
function planesToTokens(planes, numChannels) {
  const count = planes.length / numChannels;
  const tokens = new Float32Array(planes.length);
  for (let channel = 0; channel < numChannels; channel += 1) {
    for (let token = 0; token < count; token += 1) {
      tokens[token * numChannels + channel] = planes[channel * count + token];
    }
  }
  return tokens;
}
var tokensToPlanes;
var init_packing = __esm({
  "src/pipelines/shared/packing.ts"() {
    "use strict";
    tokensToPlanes = (tokens, numChannels) => planesToTokens(tokens, tokens.length / numChannels);
  }
});

// src/pipelines/shared/pictures.ts
async function encode(space, picture, { content, canvas }) {
  const resized = await resizePicture(picture, content.width, content.height);
  const pixels = pictureToPixels(onCanvas(resized, canvas));
  const grid = await space.encodePixels(pixels, canvas);
  return packLatents(grid, space.autoencoder.latentChannels, space.latentSize(canvas));
}
function onCanvas(picture, canvas) {
  const width = Math.min(picture.width, canvas.width);
  const height = Math.min(picture.height, canvas.height);
  const middle2 = {
    left: Math.floor((picture.width - width) / 2),
    top: Math.floor((picture.height - height) / 2)
  };
  return padPicture(cropPicture(picture, width, height, middle2), canvas.width, canvas.height);
}
async function decode(space, latents, { canvas, content }) {
  const gridSize = space.latentSize(canvas);
  const grid = unpackLatents(latents, space.autoencoder.latentChannels, gridSize);
  const pixels = await space.decodeLatents(grid, gridSize);
  if (pixels.some(Number.isNaN)) {
    throw new RetouchError(
      "RUNTIME_FAILED",
      "The networks gave no numbers: the checkpoint's weights overflow."
    );
  }
  return cropPicture(pixelsToPicture(pixels, canvas.width, canvas.height), content.width, content.height);
}
async function sketch(space, latents, { canvas, content }) {
  const gridSize = space.latentSize(canvas);
  const draw = await space.sketcher();
  const picture = draw(unpackLatents(latents, space.autoencoder.latentChannels, gridSize), gridSize);
  const scale = picture.width / canvas.width;
  const side = (length2) => Math.max(1, Math.round(length2 * scale));
  return cropPicture(picture, side(content.width), side(content.height));
}
async function sourceAt(source, plan) {
  const { width, height } = sourceInResult(plan);
  return padPicture(await resizePicture(source, width, height), plan.size.width, plan.size.height);
}
var init_pictures = __esm({
  "src/pipelines/shared/pictures.ts"() {
    "use strict";
    init_errors();
    init_picture();
    init_resize();
    init_sizes();
    init_packing();
  }
});

// src/pipelines/shared/denoise.ts
async function* denoise(space, target, { velocity, start, sigmas, from, noise, signal, started }) {
  const steps = eulerSampler(velocity, from?.latents ?? start, { sigmas, from, noise });
  throwIfAborted2(signal);
  let next = await steps.next();
  while (!next.done) {
    const { index, latents, memory = {}, estimate } = next.value;
    yield {
      step: index + 1,
      of: sigmas.length - 1,
      seconds: (performance.now() - started) / 1e3,
      latents,
      state: { step: index + 1, latents, memory },
      preview: () => decode(space, estimate(), target),
      sketch: () => sketch(space, estimate(), target)
    };
    throwIfAborted2(signal);
    next = await steps.next();
  }
  return next.value;
}
var init_denoise = __esm({
  "src/pipelines/shared/denoise.ts"() {
    "use strict";
    init_abort();
    init_euler();
    init_pictures();
  }
});

// src/images/plane.ts
function boxBlurred({ width, height, data }, radius) {
  const span = 2 * radius + 1;
  const across = new Float32Array(data.length);
  for (let y = 0; y < height; y++) {
    const start = y * width;
    const at = (x) => data[start + within(x, width)];
    let sum = 0;
    for (let x = -radius; x <= radius; x++) sum += at(x);
    for (let x = 0; x < width; x++) {
      across[start + x] = sum / span;
      sum += at(x + radius + 1) - at(x - radius);
    }
  }
  const blurred = new Float32Array(data.length);
  const sums = new Float64Array(width);
  for (let y = -radius; y <= radius; y++) {
    const start = within(y, height) * width;
    for (let x = 0; x < width; x++) sums[x] += across[start + x];
  }
  for (let y = 0; y < height; y++) {
    const [start, entering, leaving] = [y, y + radius + 1, y - radius].map(
      (row) => within(row, height) * width
    );
    for (let x = 0; x < width; x++) {
      blurred[start + x] = sums[x] / span;
      sums[x] += across[entering + x] - across[leaving + x];
    }
  }
  return { width, height, data: blurred };
}
function grown(marks, radius) {
  const { width, height, data } = boxBlurred(marks, radius);
  return { width, height, data: data.map((mean) => mean > 0 ? 1 : 0) };
}
function regionsOf(plane, floor, isWanted) {
  const { width, height, data } = plane;
  const marks = new Float32Array(data.length);
  const isSeen = new Uint8Array(data.length);
  const pixels = new Int32Array(data.length);
  for (let start = 0; start < data.length; start++) {
    let area = 0;
    const meet = (pixel) => {
      if (isSeen[pixel] === 1 || data[pixel] <= floor) return;
      isSeen[pixel] = 1;
      pixels[area++] = pixel;
    };
    meet(start);
    let peak = floor;
    for (let next = 0; next < area; next++) {
      const pixel = pixels[next];
      const x = pixel % width;
      peak = Math.max(peak, data[pixel]);
      if (x > 0) meet(pixel - 1);
      if (x < width - 1) meet(pixel + 1);
      if (pixel >= width) meet(pixel - width);
      if (pixel < data.length - width) meet(pixel + width);
    }
    if (area > 0 && isWanted({ area, peak })) for (const pixel of pixels.subarray(0, area)) marks[pixel] = 1;
  }
  return { width, height, data: marks };
}
var within, inverted;
var init_plane = __esm({
  "src/images/plane.ts"() {
    "use strict";
    within = (place, length2) => Math.min(Math.max(place, 0), length2 - 1);
    inverted = ({ width, height, data }) => ({
      width,
      height,
      data: data.map((mark) => 1 - mark)
    });
  }
});

// src/engine/keep-unchanged.ts
function findKept(drawn, reconstructed, cell) {
  const { width, height } = drawn;
  const halfCell = Math.max(1, Math.round(cell / 2));
  const differences = boxBlurred(differencesOf(drawn, reconstructed), Math.max(1, Math.round(cell / 4)));
  const changed = regionsOf(differences, FAINT, ({ area, peak }) => peak > CLEAR || area >= 4 * cell ** 2);
  const left = grown(inverted(grown(changed, 2 * halfCell)), halfCell);
  const islands = regionsOf(left, 0, ({ area }) => area >= MIN_ISLAND * width * height);
  const soft = boxBlurred(islands, Math.max(1, Math.round(Math.max(width, height) / 200)));
  const mask = { width, height, data: new Uint8Array(soft.data.map((share) => Math.round(share * WHITE))) };
  const kept = mask.data.reduce((sum, value) => sum + value, 0) / (WHITE * width * height);
  return { changedShare: 1 - kept, mask };
}
function differencesOf(a, b) {
  const { width, height } = a;
  const differences = new Float32Array(width * height);
  for (let pixel = 0; pixel < differences.length; pixel += 1) {
    for (let i = pixel * COLOURS2; i < (pixel + 1) * COLOURS2; i += 1) {
      differences[pixel] = Math.max(differences[pixel], Math.abs(a.data[i] - b.data[i]));
    }
  }
  return { width, height, data: differences };
}
function composite(result, source, mask) {
  const columns = Array.from({ length: result.width }, (_, x) => placeOf(x, result.width, mask.width));
  for (let y = 0; y < result.height; y += 1) {
    const line = maskLine(mask, placeOf(y, result.height, mask.height));
    for (let x = 0; x < result.width; x += 1) {
      const { first, second, share } = columns[x];
      const kept = between3(line[first], line[second], share);
      if (kept === 0) continue;
      const start = (y * result.width + x) * COLOURS2;
      for (let i = start; i < start + COLOURS2; i += 1) {
        result.data[i] = Math.round(between3(result.data[i], source.data[i], kept));
      }
    }
  }
}
function placeOf(pixel, length2, otherLength) {
  const centre = (pixel + 0.5) * otherLength / length2 - 0.5;
  const place = Math.min(Math.max(centre, 0), otherLength - 1);
  const first = Math.floor(place);
  return { first, second: Math.min(first + 1, otherLength - 1), share: place - first };
}
function maskLine({ width, data }, { first, second, share }) {
  const line = new Float32Array(width);
  for (let x = 0; x < width; x += 1) {
    line[x] = between3(data[first * width + x], data[second * width + x], share) / WHITE;
  }
  return line;
}
var FAINT, CLEAR, MIN_ISLAND, COLOURS2, WHITE, between3;
var init_keep_unchanged = __esm({
  "src/engine/keep-unchanged.ts"() {
    "use strict";
    init_plane();
    FAINT = 12;
    CLEAR = 24;
    MIN_ISLAND = 1 / 20;
    COLOURS2 = 3;
    WHITE = 255;
    between3 = (a, b, share) => a + (b - a) * share;
  }
});

// src/pipelines/shared/result.ts
async function resultOf(space, latents, plan, source) {
  const { size, target } = plan;
  const working = await decode(space, latents, target);
  const picture = await resizePicture(working, size.width, size.height);
  if (source === void 0) return { picture, notices: [] };
  if (!hasOneCanvas(plan)) return { picture, notices: [NOT_KEPT] };
  const seen = await decode(space, source.latents, target);
  const kept = findKept(working, seen, space.autoencoder.scaleFactor);
  if (kept.changedShare < 1) composite(picture, await sourceAt(source.picture, plan), kept.mask);
  return { picture, kept, notices: [] };
}
var NOT_KEPT;
var init_result = __esm({
  "src/pipelines/shared/result.ts"() {
    "use strict";
    init_keep_unchanged();
    init_sizes();
    init_resize();
    init_pictures();
    NOT_KEPT = "What was not edited could not be kept as it was, because the image and the result differ in shape.";
  }
});

// src/models/transformers/rotary.ts
function rotaryTable(ids, { axes, theta }) {
  const numTokens = ids.length / axes.length;
  const half = axes.reduce((sum, axis) => sum + axis, 0) / 2;
  const table = {
    cos: new Float32Array(numTokens * half),
    sin: new Float32Array(numTokens * half)
  };
  const frequencies = axes.flatMap(
    (size, axis) => Array.from({ length: size / 2 }, (_, index) => ({ axis, frequency: 1 / theta ** (2 * index / size) }))
  );
  for (let token = 0; token < numTokens; token += 1) {
    frequencies.forEach(({ axis, frequency }, index) => {
      const angle = ids[token * axes.length + axis] * frequency;
      table.cos[token * half + index] = Math.cos(angle);
      table.sin[token * half + index] = Math.sin(angle);
    });
  }
  return table;
}
var init_rotary = __esm({
  "src/models/transformers/rotary.ts"() {
    "use strict";
  }
});

// src/pipelines/shared/rotary.ts
function createRotary({
  textIds: textIds3,
  imageIds,
  ...options
}) {
  const tables = /* @__PURE__ */ new Map();
  return (length2) => {
    const table = tables.get(length2) ?? rotaryTable(joined([textIds3(length2), ...imageIds]), options);
    tables.set(length2, table);
    return table;
  };
}
function joined(parts) {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
var init_rotary2 = __esm({
  "src/pipelines/shared/rotary.ts"() {
    "use strict";
    init_rotary();
  }
});

// src/pipelines/flux1-kontext/edit.ts
async function* editImage(networks2, source, request, options = {}) {
  const { signal, isSketched, loras, sizes, resume, given = {}, place = ALONE, isLatentOnly } = options;
  const numChannels = networks2.autoencoder.latentChannels;
  const plan = sizes ?? planSizes([source], request.size, networks2.native);
  const { size, target } = plan;
  const reference = plan.references[0];
  const targetGrid = networks2.latentSize(target.canvas);
  const referenceGrid = networks2.latentSize(reference.canvas);
  const numTokens = targetGrid.width * targetGrid.height / 4;
  checkGiven(networks2, given, numTokens);
  const levels = levelsOf(networks2.schedule, request, numTokens);
  const hasNegative = isNegativeUsed(request, given.negativeEmbeds !== void 0);
  await networks2.prepare({
    target: target.canvas,
    references: [reference.canvas],
    numSteps: request.numSteps,
    isNegativeUsed: hasNegative,
    textLength: textLengthOf(networks2.textLength, request, given),
    loraBytes: loras?.memoryBytes
  });
  const adapted = await loras?.read();
  const prompts = await encodePrompts(networks2, request, given, { hasNegative, adapters: adapted?.adapters });
  throwIfAborted2(signal);
  const referenceLatents = await encode(networks2, source, reference);
  if (isSketched) await networks2.sketcher();
  const rotaryOf = createRotary({
    axes: networks2.flux.rotaryAxes,
    theta: ROTARY_THETA,
    textIds,
    imageIds: [latentIds(targetGrid, 0), latentIds(referenceGrid, 1)]
  });
  const from = resume?.([numTokens, 4 * numChannels]);
  const noise = new BatchNoise(request.seed, numTokens * 4 * numChannels, place);
  const start = given.latents?.data ?? packLatents(noise.next(), numChannels, targetGrid);
  if (networks2.schedule.isStochastic) noise.skip(from?.step ?? 0);
  const started = performance.now();
  const inputs = { referenceLatents, adapters: adapted?.adapters };
  const told = { ...levels, guidance: request.guidance };
  const ofPrompt = (prompt) => velocityOf(networks2, prompt, { ...inputs, rotary: rotaryOf(prompt.promptEmbeds.shape[0]) }, told);
  const positive = await ofPrompt(prompts.positive);
  const velocity = prompts.negative ? withTrueGuidance(positive, await ofPrompt(prompts.negative), request.trueCfgScale) : positive;
  const latents = yield* denoise(networks2, target, {
    velocity,
    start,
    sigmas: levels.sigmas,
    from,
    noise: networks2.schedule.isStochastic ? () => noise.next() : void 0,
    signal,
    started
  });
  const outcome = {
    size,
    latents: { data: latents, shape: [numTokens, 4 * numChannels] },
    workingSize: target.content,
    referenceSize: reference.content,
    isNegativeUsed: hasNegative,
    notices: [...adapted?.notices ?? [], ...cutNotices(prompts)]
  };
  if (isLatentOnly) return outcome;
  const kept = request.isUnchangedKept ? { picture: source, latents: referenceLatents } : void 0;
  const result = await resultOf(networks2, latents, plan, kept);
  return { ...outcome, ...result, notices: [...outcome.notices, ...result.notices] };
}
var init_edit = __esm({
  "src/pipelines/flux1-kontext/edit.ts"() {
    "use strict";
    init_abort();
    init_guidance();
    init_noise();
    init_flux_config();
    init_conditioning();
    init_latents();
    init_denoise();
    init_given();
    init_packing();
    init_pictures();
    init_result();
    init_rotary2();
    init_request();
    init_schedule();
    init_sizes();
  }
});

// src/engine/least-squares.ts
function addTransposedProduct(sum, left, right) {
  for (let row = 0; row < left.rows; row += 1) {
    for (let i = 0; i < left.columns; i += 1) {
      addScaled(sum, i, left.data[row * left.columns + i], right, row);
    }
  }
}
function solve(normal, right) {
  const size = normal.rows;
  const addRow = (to, factor, from) => {
    addScaled(normal, to, factor, normal, from);
    addScaled(right, to, factor, right, from);
  };
  const at = (row, column) => normal.data[row * size + column];
  for (let pivot = 0; pivot < size; pivot += 1) {
    for (let row = pivot + 1; row < size; row += 1) addRow(row, -at(row, pivot) / at(pivot, pivot), pivot);
  }
  for (let pivot = size - 1; pivot >= 0; pivot -= 1) {
    for (let row = 0; row < pivot; row += 1) addRow(row, -at(row, pivot) / at(pivot, pivot), pivot);
    addRow(pivot, 1 / at(pivot, pivot) - 1, pivot);
  }
}
function addScaled(sum, row, factor, other, otherRow) {
  const { data, columns } = sum;
  const [from, to] = [otherRow * columns, row * columns];
  for (let j = 0; j < columns; j += 1) data[to + j] += factor * other.data[from + j];
}
var createMatrix;
var init_least_squares = __esm({
  "src/engine/least-squares.ts"() {
    "use strict";
    createMatrix = (rows2, columns) => ({
      rows: rows2,
      columns,
      data: new Float64Array(rows2 * columns)
    });
  }
});

// src/engine/preview-samples.ts
function drawSample(number2, side) {
  const next = numbersFrom(number2);
  const colour = () => [next() * 255, next() * 255, next() * 255];
  const corners = [colour(), colour(), colour(), colour()];
  const shapes = Array.from({ length: NUM_SHAPES }, (_, index) => ({
    kind: KINDS[index % KINDS.length],
    x: next(),
    y: next(),
    size: 0.05 + 0.2 * next(),
    angle: next() * Math.PI,
    colour: colour()
  }));
  const data = new Uint8Array(side * side * 3);
  for (let row = 0; row < side; row += 1) {
    for (let column = 0; column < side; column += 1) {
      const [x, y] = [(column + 0.5) / side, (row + 0.5) / side];
      const top = shapes.findLast((shape) => isInside(shape, x, y));
      data.set(top?.colour ?? mixed2(corners, x, y), (row * side + column) * 3);
    }
  }
  return { width: side, height: side, data };
}
function numbersFrom(seed) {
  let state = seed + 1;
  const next = () => {
    state = state * 48271 % 2147483647;
    return state / 2147483647;
  };
  for (let warmUp = 0; warmUp < 8; warmUp += 1) next();
  return next;
}
function isInside({ kind, x, y, size, angle }, atX, atY) {
  const [dx, dy] = [atX - x, atY - y];
  if (kind === "disc") return Math.hypot(dx, dy) < size;
  const along = Math.abs(dx * Math.cos(angle) + dy * Math.sin(angle));
  const across = Math.abs(dy * Math.cos(angle) - dx * Math.sin(angle));
  return kind === "square" ? Math.max(along, across) < size : across < size / 4;
}
function mixed2(corners, x, y) {
  const shares = [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y];
  return [0, 1, 2].map(
    (channel) => corners.reduce((sum, corner, index) => sum + shares[index] * corner[channel], 0)
  );
}
var NUM_SHAPES, KINDS;
var init_preview_samples = __esm({
  "src/engine/preview-samples.ts"() {
    "use strict";
    NUM_SHAPES = 24;
    KINDS = ["disc", "square", "stripe"];
  }
});

// src/engine/preview.ts
async function fitSketcher(codec) {
  const { latentChannels, scaleFactor } = codec.autoencoder;
  const side = SAMPLE_CELLS * scaleFactor;
  const cells = { width: SAMPLE_CELLS, height: SAMPLE_CELLS };
  const patch = Math.max(1, scaleFactor / 2);
  const numInputs = NEIGHBOURS.length * latentChannels + 1;
  const normal = createMatrix(numInputs, numInputs);
  const weights = createMatrix(numInputs, patch * patch * COLOURS3);
  for (let sample = 0; sample < NUM_SAMPLES; sample += 1) {
    const pixels = pictureToPixels(drawSample(sample, side));
    const grid = await codec.encodePixels(pixels, { width: side, height: side });
    const decoded = await codec.decodeLatents(grid, cells);
    const inputs = inputsOf2(grid, latentChannels, cells);
    addTransposedProduct(normal, inputs, inputs);
    addTransposedProduct(weights, inputs, patchesOf(decoded, cells, { scaleFactor, patch }));
  }
  for (let input2 = 0; input2 < numInputs - 1; input2 += 1) {
    normal.data[input2 * (numInputs + 1)] += RIDGE * NUM_SAMPLES * SAMPLE_CELLS ** 2;
  }
  solve(normal, weights);
  return (grid, size) => {
    let fitting = patch;
    while (fitting > 1 && fitting * Math.max(size.width, size.height) > MAX_SIDE) fitting /= 2;
    return project(
      inputsOf2(grid, latentChannels, size),
      reducedWeights(weights, patch, fitting),
      size,
      fitting
    );
  };
}
function inputsOf2(grid, numChannels, { width, height }) {
  const inputs = createMatrix(width * height, NEIGHBOURS.length * numChannels + 1);
  let next = 0;
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      for (const [down, right] of NEIGHBOURS) {
        const y = Math.min(Math.max(row + down, 0), height - 1);
        const x = Math.min(Math.max(column + right, 0), width - 1);
        for (let channel = 0; channel < numChannels; channel += 1) {
          inputs.data[next++] = grid[(channel * height + y) * width + x];
        }
      }
      inputs.data[next++] = 1;
    }
  }
  return inputs;
}
function patchesOf(pixels, { width, height }, { scaleFactor, patch }) {
  const patches = createMatrix(width * height, patch * patch * COLOURS3);
  const block = scaleFactor / patch;
  const rowLength = width * scaleFactor;
  const planeSize = rowLength * height * scaleFactor;
  for (let colour = 0; colour < COLOURS3; colour += 1) {
    for (let y = 0; y < height * scaleFactor; y += 1) {
      for (let x = 0; x < rowLength; x += 1) {
        const cell = Math.floor(y / scaleFactor) * width + Math.floor(x / scaleFactor);
        const [row, column] = [y, x].map((at) => Math.floor(at % scaleFactor / block));
        const value = pixels[colour * planeSize + y * rowLength + x];
        patches.data[cell * patches.columns + (row * patch + column) * COLOURS3 + colour] += value / block ** 2;
      }
    }
  }
  return patches;
}
function reducedWeights(weights, patch, smaller) {
  if (smaller === patch) return weights;
  const block = patch / smaller;
  const reduced = createMatrix(weights.rows, smaller * smaller * COLOURS3);
  for (let input2 = 0; input2 < weights.rows; input2 += 1) {
    for (let output = 0; output < weights.columns; output += 1) {
      const colour = output % COLOURS3;
      const at = (output - colour) / COLOURS3;
      const [row, column] = [Math.floor(at / patch / block), Math.floor(at % patch / block)];
      const to = (row * smaller + column) * COLOURS3 + colour;
      reduced.data[input2 * reduced.columns + to] += weights.data[input2 * weights.columns + output] / block ** 2;
    }
  }
  return reduced;
}
function project(inputs, weights, cells, patch) {
  const [width, height] = [cells.width * patch, cells.height * patch];
  const planeSize = width * height;
  const pixels = new Float32Array(COLOURS3 * planeSize);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const first = (Math.floor(y / patch) * cells.width + Math.floor(x / patch)) * inputs.columns;
      const output = (y % patch * patch + x % patch) * COLOURS3;
      let [red, green, blue] = [0, 0, 0];
      for (let input2 = 0; input2 < inputs.columns; input2 += 1) {
        const value = inputs.data[first + input2];
        const weight2 = input2 * weights.columns + output;
        red += value * weights.data[weight2];
        green += value * weights.data[weight2 + 1];
        blue += value * weights.data[weight2 + 2];
      }
      const at = y * width + x;
      pixels[at] = red;
      pixels[planeSize + at] = green;
      pixels[2 * planeSize + at] = blue;
    }
  }
  return pixelsToPicture(pixels, width, height);
}
var MAX_SIDE, NUM_SAMPLES, SAMPLE_CELLS, RIDGE, COLOURS3, NEIGHBOURS;
var init_preview = __esm({
  "src/engine/preview.ts"() {
    "use strict";
    init_picture();
    init_least_squares();
    init_preview_samples();
    MAX_SIDE = 256;
    NUM_SAMPLES = 4;
    SAMPLE_CELLS = 16;
    RIDGE = 1e-3;
    COLOURS3 = 3;
    NEIGHBOURS = [
      [0, 0],
      [-1, 0],
      [1, 0],
      [0, -1],
      [0, 1]
    ];
  }
});

// src/engine/tiles.ts
async function runInTiles(whole, sides, run2) {
  const scale = sides.output / sides.input;
  const [width, height] = [whole.width * scale, whole.height * scale];
  const stride = sides.input * (1 - OVERLAP);
  const blended = sides.output * OVERLAP;
  const kept = sides.output - blended;
  const { patch = 1 } = sides;
  let result;
  let above = [];
  for (let top = 0; top < whole.height; top += stride) {
    const row = [];
    for (let left = 0; left < whole.width; left += stride) {
      const tile = await run2(cut(whole, left, top, sides.input));
      if (top > 0) blendDown(above[row.length], tile, blended, patch);
      if (left > 0) blendAcross(row.at(-1), tile, blended, patch);
      result ??= { ...tile, width, height, data: new Float32Array(tile.channels * width * height) };
      paste(tile, result, { left: left * scale, top: top * scale, side: kept });
      row.push(tile);
    }
    above = row;
  }
  return result;
}
function cut(whole, left, top, side) {
  const width = Math.min(side, whole.width - left);
  const height = Math.min(side, whole.height - top);
  const tile = { ...whole, width, height, data: new Float32Array(whole.channels * width * height) };
  eachRow(tile, (start, channel, y) => {
    const from = (channel * whole.height + top + y) * whole.width + left;
    tile.data.set(whole.data.subarray(from, from + width), start);
  });
  return tile;
}
function paste(tile, result, { left, top, side }) {
  const width = Math.min(side, tile.width);
  eachRow(tile, (start, channel, y) => {
    if (y >= side) return;
    const to = (channel * result.height + top + y) * result.width + left;
    result.data.set(tile.data.subarray(start, start + width), to);
  });
}
function blendDown(above, tile, rows2, patch) {
  const extent = Math.min(above.height, tile.height, rows2);
  eachRow(tile, (start, channel, y) => {
    if (y >= extent) return;
    const share = (y + Math.floor(channel / patch) % patch / patch) / extent;
    const from = (channel * above.height + above.height - extent + y) * above.width;
    for (let x = 0; x < tile.width; x += 1) {
      tile.data[start + x] = mixed3(above.data[from + x], tile.data[start + x], share);
    }
  });
}
function blendAcross(before, tile, columns, patch) {
  const extent = Math.min(before.width, tile.width, columns);
  eachRow(tile, (start, channel, y) => {
    const from = (channel * before.height + y + 1) * before.width - extent;
    const column = channel % patch / patch;
    for (let x = 0; x < extent; x += 1) {
      const share = (x + column) / extent;
      tile.data[start + x] = mixed3(before.data[from + x], tile.data[start + x], share);
    }
  });
}
function eachRow({ channels, width, height }, visit) {
  for (let row = 0; row < channels * height; row += 1) {
    visit(row * width, Math.floor(row / height), row % height);
  }
}
var OVERLAP, isTiled, mixed3;
var init_tiles = __esm({
  "src/engine/tiles.ts"() {
    "use strict";
    OVERLAP = 1 / 4;
    isTiled = ({ width, height }, side) => Math.max(width, height) > side;
    mixed3 = (from, to, share) => from * (1 - share) + to * share;
  }
});

// src/pipelines/shared/latent-space.ts
async function byTiles({ tileSide }, { to, cellSide, patch }, whole, run2) {
  if (tileSide === void 0) return run2(whole);
  const cells = tileSide / cellSide;
  const [input2, output] = to === "cells" ? [tileSide, cells] : [cells, tileSide];
  return isTiled(whole, input2) ? runInTiles(whole, { input: input2, output, patch }, run2) : run2(whole);
}
function planesOf({ data, shape }, channels) {
  const [, , height, width] = shape;
  return { data, channels, width, height };
}
var tensorOf;
var init_latent_space = __esm({
  "src/pipelines/shared/latent-space.ts"() {
    "use strict";
    init_tiles();
    tensorOf = ({ data, channels, width, height }) => ({
      data,
      shape: [1, channels, height, width]
    });
  }
});

// src/pipelines/shared/remembered.ts
var REMEMBERED_PROMPT_BYTES, REMEMBERED_REFERENCE_BYTES, Remembered;
var init_remembered = __esm({
  "src/pipelines/shared/remembered.ts"() {
    "use strict";
    REMEMBERED_PROMPT_BYTES = 64 * 2 ** 20;
    REMEMBERED_REFERENCE_BYTES = 32 * 2 ** 20;
    Remembered = class {
      #values = /* @__PURE__ */ new Map();
      #maxBytes;
      #bytesOf;
      /** @param maxBytes of all values; one that is larger alone is not remembered */
      constructor(maxBytes, bytesOf5) {
        this.#maxBytes = maxBytes;
        this.#bytesOf = bytesOf5;
      }
      /** The value that was made from `key`, or a new one. A failure is not remembered. */
      async get(key, make) {
        const known = this.#values.get(key);
        const value = known ?? await make();
        this.#values.delete(key);
        this.#values.set(key, value);
        this.#forget();
        return value;
      }
      #forget() {
        let total2 = [...this.#values.values()].reduce((sum, value) => sum + this.#bytesOf(value), 0);
        for (const [key, value] of this.#values) {
          if (total2 <= this.#maxBytes) return;
          this.#values.delete(key);
          total2 -= this.#bytesOf(value);
        }
      }
    };
  }
});

// src/pipelines/flux1-kontext/prompt.ts
function assertKnown({ file }, ids, vocabularySize) {
  const unknown = ids.find((id) => id >= vocabularySize);
  if (unknown === void 0) return;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `The tokenizer file ${file} gives the id ${unknown}, and its network knows ${vocabularySize}.`
  );
}
var PromptEncoder, isOfText, idTensor;
var init_prompt = __esm({
  "src/pipelines/flux1-kontext/prompt.ts"() {
    "use strict";
    init_errors();
    init_targets();
    init_clip2();
    init_t52();
    init_remembered();
    PromptEncoder = class {
      #checkpoint;
      #components;
      #remembered = new Remembered(
        REMEMBERED_PROMPT_BYTES,
        ({ promptEmbeds }) => promptEmbeds.data.byteLength
      );
      /** Of what LoRAs added to the text encoder, in the order in which they came. */
      #adapterNumbers = /* @__PURE__ */ new WeakMap();
      #numAdapters = 0;
      constructor(checkpoint, components) {
        this.#checkpoint = checkpoint;
        this.#components = components;
      }
      encode(text3, adapters) {
        const own = adapters && [...adapters.keys()].some(isOfText) ? this.#numberOf(adapters) : 0;
        const key = JSON.stringify([text3.prompt, text3.prompt2, text3.length, own]);
        return this.#remembered.get(key, () => this.#encode(text3, adapters));
      }
      #numberOf(adapters) {
        const number2 = this.#adapterNumbers.get(adapters) ?? (this.#numAdapters += 1);
        this.#adapterNumbers.set(adapters, number2);
        return number2;
      }
      async #encode({ prompt, prompt2 = prompt, length: length2 }, adapters) {
        const { tokenizers, configs } = this.#checkpoint;
        const clipText = tokenizers.clip.encode(prompt, configs.clipLength);
        const t5Text = tokenizers.t5.encode(prompt2, length2 ?? configs.t5Length);
        assertKnown(tokenizers.clip, clipText.ids, configs.clip.vocabularySize);
        assertKnown(tokenizers.t5, t5Text.ids, configs.t5.vocabularySize);
        const endPosition = clipEndPosition(clipText.ids, configs.clip.endTokenId);
        const clipInputs = { tokenIds: idTensor(clipText.ids), endPosition: idTensor([endPosition]) };
        const { pooledPromptEmbeds } = await this.#components.run("clip", clipInputs, adapters);
        const numTokens = t5Text.ids.length;
        const { promptEmbeds } = await this.#components.run("t5", {
          tokenIds: idTensor(t5Text.ids),
          positionBuckets: {
            data: positionBuckets(configs.t5, numTokens),
            shape: [1, numTokens, numTokens]
          }
        });
        return {
          promptEmbeds,
          pooledPromptEmbeds,
          clipTokenIds: clipText.ids,
          t5TokenIds: t5Text.ids,
          isCut: t5Text.isCut
        };
      }
    };
    isOfText = (layer3) => layer3.startsWith(TEXT_ENCODER);
    idTensor = (ids) => ({
      data: BigInt64Array.from(ids, (id) => BigInt(id)),
      shape: [ids.length]
    });
  }
});

// src/pipelines/flux1-kontext/networks.ts
var Networks;
var init_networks = __esm({
  "src/pipelines/flux1-kontext/networks.ts"() {
    "use strict";
    init_preview();
    init_flux_modulation();
    init_latent_space();
    init_components3();
    init_prompt();
    Networks = class {
      flux;
      autoencoder;
      schedule;
      native;
      /** Tokens that T5 reads of a text, unless an edit chooses. */
      textLength;
      #components;
      #prompts;
      #sketcher;
      constructor(checkpoint, components) {
        const { configs, schedule } = checkpoint;
        this.flux = configs.flux;
        this.autoencoder = configs.autoencoder;
        this.schedule = schedule;
        this.native = nativeScale(configs.autoencoder);
        this.textLength = configs.t5Length;
        this.#components = components;
        this.#prompts = new PromptEncoder(checkpoint, components);
      }
      /**
       * Plans the memory of an edit, before any network runs for it.
       * @throws RetouchError MEMORY_INSUFFICIENT
       */
      prepare(edit) {
        return this.#components.prepare(edit);
      }
      encodePrompt(text3, adapters) {
        return this.#prompts.encode(text3, adapters);
      }
      latentSize(canvas) {
        const { scaleFactor } = this.autoencoder;
        return { width: canvas.width / scaleFactor, height: canvas.height / scaleFactor };
      }
      /** The mode of the latent distribution of pixels [3, height, width]: [C, h, w], normalised as (z - shift) * scale. */
      async encodePixels(pixels, { width, height }) {
        const { shiftFactor, scalingFactor, latentChannels, scaleFactor } = this.autoencoder;
        const whole = { data: pixels, channels: 3, width, height };
        const half = { to: "cells", cellSide: scaleFactor };
        const mean = await byTiles(this.#components, half, whole, async (tile) => {
          const output = await this.#components.run("encoder", { pixels: tensorOf(tile) });
          return planesOf(output.mean, latentChannels);
        });
        return mean.data.map((value) => (value - shiftFactor) * scalingFactor);
      }
      /** The pixels [3, height, width], about -1 to 1, of a normalised latent grid [C, h, w]. */
      async decodeLatents(grid, { width, height }) {
        const { shiftFactor, scalingFactor, latentChannels, scaleFactor } = this.autoencoder;
        const data = grid.map((value) => value / scalingFactor + shiftFactor);
        const whole = { data, channels: latentChannels, width, height };
        const half = { to: "pixels", cellSide: scaleFactor };
        const decoded = await byTiles(this.#components, half, whole, async (tile) => {
          const output = await this.#components.run("decoder", { latents: tensorOf(tile) });
          return planesOf(output.pixels, 3);
        });
        return decoded.data;
      }
      sketcher() {
        this.#sketcher ??= fitSketcher(this);
        return this.#sketcher;
      }
      /**
       * The modulation of the transformer's blocks before each step, from the timestep, guidance and the pooled text.
       * @param timesteps noise levels, as the scheduler tells them
       */
      async modulations(timesteps, guidance, prompt, adapters) {
        const inputs = {
          sigmas: { data: timesteps, shape: [timesteps.length] },
          pooledPromptEmbeds: prompt.pooledPromptEmbeds,
          ...this.flux.hasGuidance && { guidance: { data: Float32Array.of(guidance), shape: [1] } }
        };
        const { modulation } = await this.#components.run("modulation", inputs, adapters);
        const size = modulationSize(this.flux);
        const rows2 = modulation.data;
        return Array.from(timesteps, (_, step) => rows2.subarray(step * size, (step + 1) * size));
      }
      /** The velocity of the target's tokens, [L, C]. */
      async velocity(inputs) {
        const { inChannels, headSize } = this.flux;
        const { latents, referenceLatents, prompt, rotary, modulation, adapters } = inputs;
        const rotaryShape = [1, rotary.cos.length / (headSize / 2), headSize / 2];
        const tensors = {
          latents: { data: latents, shape: [latents.length / inChannels, inChannels] },
          referenceLatents: { data: referenceLatents, shape: [referenceLatents.length / inChannels, inChannels] },
          promptEmbeds: prompt.promptEmbeds,
          modulation: { data: modulation, shape: [modulation.length] },
          rotaryCos: { data: rotary.cos, shape: rotaryShape },
          rotarySin: { data: rotary.sin, shape: rotaryShape }
        };
        const { velocity } = await this.#components.run("transformer", tensors, adapters);
        return velocity.data;
      }
      /** Releases every network, once the running one has finished. */
      dispose() {
        return this.#components.dispose();
      }
    };
  }
});

// src/pipelines/flux1-kontext/model.ts
var model_exports = {};
__export(model_exports, {
  loadNetworks: () => loadNetworks,
  openKontext: () => openKontext
});
async function loadNetworks(checkpoint, runtime, options) {
  const read = await readKontext(checkpoint);
  return new Networks(read, await Components.load(modelOf2(read), runtime, options));
}
function modelOf2(read) {
  return {
    ...planKontext(read.configs),
    stored: read.stored,
    findLoraTarget: createFindTarget(read.configs.flux, read.configs.clip),
    createEditor(components) {
      const networks2 = new Networks(read, components);
      return { edit: ([image], request, options) => editImage(networks2, image, request, options) };
    }
  };
}
var openKontext;
var init_model = __esm({
  "src/pipelines/flux1-kontext/model.ts"() {
    "use strict";
    init_components();
    init_checkpoint();
    init_components3();
    init_edit();
    init_lora_targets();
    init_networks();
    openKontext = async (checkpoint) => modelOf2(await readKontext(checkpoint));
  }
});

// src/models/text-encoders/qwen3-config.ts
function readQwen3Config(config, { layers = [] } = {}) {
  const fields = config.withNulls();
  const numHeads = fields.count("num_attention_heads", MAX_HEADS, 32);
  const numLayers = fields.wholeNumber("num_hidden_layers", MAX_LAYERS, 32);
  assertDeepEnough(config.file, numLayers, layers);
  assertFullAttention(fields, numLayers);
  return {
    width: fields.count("hidden_size", MAX_WIDTH, 4096),
    mlpWidth: fields.count("intermediate_size", MAX_WIDTH, 22016),
    numLayers,
    numHeads,
    numKeyHeads: readKeyHeads(fields, numHeads),
    headSize: readHeadSize(fields),
    vocabularySize: fields.count("vocab_size", MAX_VOCABULARY, 151936),
    epsilon: fields.number("rms_norm_eps", 1e-6),
    activation: readActivation(fields, "hidden_act", "silu"),
    rotaryTheta: readTheta(fields),
    hasBias: fields.boolean("attention_bias", false)
  };
}
function assertDeepEnough(file, numLayers, layers) {
  const deepest = Math.max(0, ...layers);
  if (deepest <= numLayers) return;
  throw new RetouchError(
    "CHECKPOINT_UNSUPPORTED",
    `In ${file}, num_hidden_layers is ${numLayers}, and the output of layer ${deepest} is read.`
  );
}
function readKeyHeads(fields, numHeads) {
  const name = "num_key_value_heads";
  const numKeyHeads = fields.get(name) === null ? numHeads : fields.count(name, MAX_HEADS, 32);
  if (numHeads % numKeyHeads === 0) return numKeyHeads;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `In ${fields.file}, ${name} (${numKeyHeads}) must divide num_attention_heads (${numHeads}).`
  );
}
function readHeadSize(fields) {
  const headSize = fields.count("head_dim", MAX_WIDTH, 128);
  if (headSize % 2 === 0) return headSize;
  throw fields.invalid("head_dim", "an even number");
}
function readTheta(fields) {
  const name = fields.truth("rope_scaling", false) ? "rope_scaling" : "rope_parameters";
  const given = fields.get(name) ?? {};
  if (typeof given !== "object" || Array.isArray(given)) throw fields.invalid(name, "an object");
  const table = new Config(fields.file, given, { isNullKept: true });
  const nested = LAYER_TYPES.find((layerType) => table.get(layerType) !== void 0);
  if (nested !== void 0) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${fields.file}, ${name} has settings of its own for ${nested}; one table for all layers is known.`
    );
  }
  const type = table.get("rope_type") ?? table.get("type") ?? "default";
  if (type !== "default") {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${fields.file}, the rope_type of ${name} is ${shownValue(type)}; known is default.`
    );
  }
  const source = table.get("rope_theta") === void 0 ? fields : table;
  const theta = source.number("rope_theta", DEFAULT_THETA);
  if (theta > 0) return theta;
  throw source.invalid("rope_theta", "more than 0");
}
function assertFullAttention(fields, numLayers) {
  const isSliding = fields.boolean("use_sliding_window", false) && fields.get("sliding_window") !== null;
  const window = isSliding ? fields.count("sliding_window", MAX_WINDOW, 4096) : Infinity;
  const types = fields.get("layer_types");
  if (types === void 0 || types === null) {
    const firstSliding = fields.wholeNumber("max_window_layers", MAX_LAYERS, 28);
    if (window < MAX_QWEN3_TOKENS && firstSliding < numLayers) throw sliding(fields, window);
    return;
  }
  if (!Array.isArray(types) || types.length !== numLayers) {
    throw fields.invalid("layer_types", `a list of ${numLayers} layers' kinds`);
  }
  const strange = types.find((type) => !LAYER_TYPES.includes(type));
  if (strange !== void 0) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${fields.file}, layer_types has ${shownValue(strange)}; known are full_attention and sliding_attention.`
    );
  }
  if (!types.includes("sliding_attention")) return;
  if (!isSliding)
    throw fields.invalid("sliding_window", "a size in use, since layer_types has sliding_attention");
  if (window < MAX_QWEN3_TOKENS) throw sliding(fields, window);
}
var MAX_QWEN3_TOKENS, DEFAULT_THETA, MAX_WINDOW, LAYER_TYPES, sliding;
var init_qwen3_config = __esm({
  "src/models/text-encoders/qwen3-config.ts"() {
    "use strict";
    init_errors();
    init_config();
    init_limits();
    init_activation();
    MAX_QWEN3_TOKENS = 512;
    DEFAULT_THETA = 1e4;
    MAX_WINDOW = 2 ** 40;
    LAYER_TYPES = ["full_attention", "sliding_attention"];
    sliding = ({ file }, window) => new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${file}, sliding_window is ${window}; texts have up to ${MAX_QWEN3_TOKENS} tokens, and a shorter window is not supported.`
    );
  }
});

// src/tokenizers/jinja-values.ts
function printed({ type, value }) {
  if (type === "StringValue") return value;
  if (type === "IntegerValue") return String(value);
  if (type === "UndefinedValue") return "";
  if (type === "NullValue") return "None";
  if (type === "BooleanValue") return value === true ? "True" : "False";
  throw new Error(`it prints a ${type}`);
}
function isSame2(left, right) {
  if (!SIMPLE.has(left.type) || !SIMPLE.has(right.type)) {
    throw new Error(`it compares a ${left.type} with a ${right.type}`);
  }
  const [a, b] = [left, right].map(
    ({ type, value }) => type === "BooleanValue" ? { type: "IntegerValue", value: Number(value) } : { type, value }
  );
  const isEmpty = a.type === "NullValue" || a.type === "UndefinedValue";
  return a.type === b.type && (isEmpty || a.value === b.value);
}
function length(text3) {
  let count = 0;
  for (const _ of text3) count += 1;
  return count;
}
function strip(text3, side, characters) {
  const wanted = characters === void 0 ? void 0 : new Set(characters);
  const isTaken = (character) => wanted?.has(character) ?? SPACE.test(character);
  const all = Array.from(text3);
  let [start, end] = [0, all.length];
  if (side !== "end") while (start < end && isTaken(all[start])) start += 1;
  if (side !== "start") while (end > start && isTaken(all[end - 1])) end -= 1;
  return all.slice(start, end).join("");
}
var SPACE, SIMPLE;
var init_jinja_values = __esm({
  "src/tokenizers/jinja-values.ts"() {
    "use strict";
    SPACE = /^[\t-\r\x1C-\x20\x85\xA0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]$/;
    SIMPLE = /* @__PURE__ */ new Set(["StringValue", "IntegerValue", "BooleanValue", "NullValue", "UndefinedValue"]);
  }
});

// src/tokenizers/jinja.ts
import * as library2 from "@huggingface/jinja";
function renderTemplate(template, variables) {
  const program = parse2(tokenize(template, { lstrip_blocks: true, trim_blocks: true }));
  wrapPrinted(program);
  const scope = new Environment();
  const constants = { true: true, false: false, none: null, True: true, False: false, None: null };
  const functions = {
    raise_exception(message2) {
      throw new Error(`it fails with ${JSON.stringify(String(message2))}`);
    }
  };
  for (const [name, value] of Object.entries({ ...constants, ...functions, ...variables })) {
    scope.set(name, value);
  }
  return String(new CheckedInterpreter(scope).run(program).value);
}
function textMethod(name, text3, argument) {
  const side = Object.hasOwn(SIGNS, name) ? SIGNS[name] : void 0;
  if (side !== void 0) return strip(text3, side, argument);
  if (argument !== void 0) {
    if (name === "startswith") return text3.startsWith(argument);
    if (name === "endswith") return text3.endsWith(argument);
    if (name === "split" && argument !== "") return text3.split(argument);
  }
  throw new Error(`it calls ${name}, or calls it in another way`);
}
function replaced(node, values) {
  const parts = Object.entries(values).map(([name, value]) => [name, { type: "Evaluated", value }]);
  return { ...node, ...Object.fromEntries(parts) };
}
function wrapPrinted(node) {
  for (const block of blocksOf2(node)) {
    for (const [index, each] of block.entries()) {
      if (STATEMENTS.has(each.type)) wrapPrinted(each);
      else block[index] = { type: "Output", expression: each };
    }
  }
}
var Environment, Interpreter, parse2, tokenize, MAX_STEPS3, MAX_SIZE, MAX_TOTAL_SIZE, STATEMENTS, PLAIN2, TESTS, SIGNS, CheckedInterpreter, OPERATIONS, toRuntime2, operatorOf, nameOf2, blocksOf2, setsVariable;
var init_jinja = __esm({
  "src/tokenizers/jinja.ts"() {
    "use strict";
    init_jinja_values();
    ({ Environment, Interpreter, parse: parse2, tokenize } = library2);
    MAX_STEPS3 = 2e4;
    MAX_SIZE = 1e5;
    MAX_TOTAL_SIZE = 4e6;
    STATEMENTS = /* @__PURE__ */ new Set(["If", "For", "Set", "Macro", "Break", "Continue", "Comment"]);
    PLAIN2 = /* @__PURE__ */ new Set([
      "Program",
      "If",
      "Set",
      "Macro",
      "Comment",
      "Ternary",
      "SelectExpression",
      "StringLiteral",
      "IntegerLiteral",
      "ArrayLiteral",
      "TupleLiteral",
      "ObjectLiteral",
      "SliceExpression",
      "Identifier"
    ]);
    TESTS = /* @__PURE__ */ new Set(["defined", "undefined", "none", "string", "mapping", "sequence", "true", "false"]);
    SIGNS = {
      lstrip: "start",
      rstrip: "end",
      strip: "both"
    };
    CheckedInterpreter = class extends Interpreter {
      #steps = 0;
      #totalSize = 0;
      evaluate(node, scope) {
        this.#steps += 1;
        if (this.#steps > MAX_STEPS3) throw new Error(`it takes more than ${MAX_STEPS3} steps`);
        const value = node ? this.#evaluate(node, scope) : super.evaluate(node, scope);
        const content = value.value;
        const size = typeof content === "string" || Array.isArray(content) ? content.length : 0;
        this.#totalSize += size;
        if (size > MAX_SIZE || this.#totalSize > MAX_TOTAL_SIZE) throw new Error("its values are too large");
        return value;
      }
      #evaluate(node, scope) {
        const { type } = node;
        if (PLAIN2.has(type)) return super.evaluate(node, scope);
        switch (type) {
          case "Evaluated":
            return node["value"];
          case "Output":
            return toRuntime2(printed(this.#child(node, "expression", scope)));
          case "For":
            return this.#loop(node, scope);
          case "MemberExpression":
            return this.#member(node, scope);
          case "CallExpression":
            return this.#call(node, scope);
          case "FilterExpression":
            return this.#filter(node, scope);
          case "TestExpression":
            return this.#test(node, scope);
          case "UnaryExpression":
            if (operatorOf(node) !== "not") throw new Error(`it uses the sign ${operatorOf(node)}`);
            return super.evaluate(node, scope);
          case "BinaryExpression":
            return this.#binary(node, scope);
          default:
            throw new Error(`it uses a ${type}`);
        }
      }
      #child(node, name, scope) {
        return this.evaluate(node[name], scope);
      }
      /** In the reference, what a round of a loop sets is gone in the next one; the library keeps it. */
      #loop(node, scope) {
        const isSelected = node["iterable"].type === "SelectExpression";
        const iterable = isSelected ? void 0 : this.#child(node, "iterable", scope);
        const isOneRound = iterable?.type === "ArrayValue" && iterable.value.length <= 1;
        if (!isOneRound && setsVariable(node["body"])) throw new Error("it sets a variable in a loop");
        return super.evaluate(iterable ? replaced(node, { iterable }) : node, scope);
      }
      #member(node, scope) {
        const object = this.#child(node, "object", scope);
        const isSlice = node["property"].type === "SliceExpression";
        const value = super.evaluate(replaced(node, { object }), scope);
        const isOwn = object.type === "StringValue" && !isSlice || value.type === "FunctionValue";
        if (isOwn) throw new Error(`it uses ${nameOf2(node["property"])} of a value`);
        return value;
      }
      #call(node, scope) {
        const callee = node["callee"];
        if (callee.type === "Identifier") {
          if (super.evaluate(callee, scope).type === "FunctionValue") return super.evaluate(node, scope);
          throw new Error(`it calls ${nameOf2(callee)}`);
        }
        const property = callee["property"];
        if (callee.type !== "MemberExpression" || callee["computed"] === true || property === void 0) {
          throw new Error("it calls a value");
        }
        const name = nameOf2(property);
        const object = this.#child(callee, "object", scope);
        const args = node["args"].map((arg) => this.evaluate(arg, scope));
        const isOfTexts = object.type === "StringValue" && args.every((arg) => arg.type === "StringValue");
        if (!isOfTexts || args.length > 1) throw new Error(`it calls ${name}, or calls it in another way`);
        return toRuntime2(textMethod(name, String(object.value), args[0] && String(args[0].value)));
      }
      #filter(node, scope) {
        const filter = node["filter"];
        const operand = this.#child(node, "operand", scope);
        const name = nameOf2(filter);
        if (filter.type === "Identifier" && operand.type === "StringValue") {
          if (name === "trim") return toRuntime2(strip(String(operand.value), "both"));
          if (name === "length") return toRuntime2(length(String(operand.value)));
        }
        const isPlain = filter.type === "Identifier" && operand.type === "ArrayValue";
        if (isPlain && ["length", "first", "last"].includes(name) && operand.value.length > 0) {
          return super.evaluate(replaced(node, { operand }), scope);
        }
        throw new Error(`it uses the filter ${name}, or uses it in another way`);
      }
      #test(node, scope) {
        const name = nameOf2(node["test"]);
        const operand = this.#child(node, "operand", scope);
        const isKnown = TESTS.has(name) || name === "iterable" && operand.type !== "ObjectValue";
        if (!isKnown) throw new Error(`it uses the test ${name}`);
        return super.evaluate(replaced(node, { operand }), scope);
      }
      #binary(node, scope) {
        const operator = operatorOf(node);
        if (operator === "and" || operator === "or") return super.evaluate(node, scope);
        const left = this.#child(node, "left", scope);
        const right = this.#child(node, "right", scope);
        if (operator === "==") return toRuntime2(isSame2(left, right));
        if (operator === "!=") return toRuntime2(!isSame2(left, right));
        const types = `${left.type} ${operator} ${right.type}`;
        if (OPERATIONS.has(types)) return super.evaluate(replaced(node, { left, right }), scope);
        throw new Error(`it uses ${types}`);
      }
    };
    OPERATIONS = /* @__PURE__ */ new Set([
      ...["+", "~", "in", "not in"].map((operator) => `StringValue ${operator} StringValue`),
      ...["+", "-", "<", "<=", ">", ">="].map((operator) => `IntegerValue ${operator} IntegerValue`),
      ...["in", "not in"].flatMap(
        (operator) => ["ObjectValue", "UndefinedValue"].map((right) => `StringValue ${operator} ${right}`)
      ),
      "ArrayValue + ArrayValue",
      "StringValue ~ IntegerValue",
      "IntegerValue ~ StringValue"
    ]);
    toRuntime2 = (value) => new Environment().set("value", value);
    operatorOf = (node) => node["operator"].value;
    nameOf2 = (node) => {
      const value = node.type === "CallExpression" ? node["callee"]["value"] : node["value"];
      return typeof value === "string" || typeof value === "number" ? String(value) : node.type;
    };
    blocksOf2 = (node) => ["body", "alternate", "defaultBlock"].flatMap(
      (name) => Array.isArray(node[name]) ? [node[name]] : []
    );
    setsVariable = (block) => block.some(
      (node) => node.type === "Set" && node["assignee"].type !== "MemberExpression" || blocksOf2(node).some(setsVariable)
    );
  }
});

// src/tokenizers/chat-template.ts
async function findTemplate(folder2) {
  const more = await folder2.namesIn(MORE_FILES);
  const named = more.filter((name2) => name2.endsWith(".jinja")).map((name2) => `${MORE_FILES}/${name2}`);
  const files = [...folder2.has(FILE) ? [FILE] : [], ...named];
  if (files.length === 0) return fromConfig(folder2);
  const name = [`${MORE_FILES}/${DEFAULT}.jinja`, FILE].find((each) => files.includes(each));
  if (name !== void 0)
    return { file: folder2.path(name), text: (await folder2.bytes(name)).toString("utf8") };
  throw new RetouchError(
    "CHECKPOINT_MISSING",
    `The folder ${folder2.path("")} has chat templates, and none of them is the default.`
  );
}
function fromConfig({ config }) {
  const { file } = config;
  const field = "chat_template";
  const value = config.get(field);
  if (typeof value === "string") return { file, text: value };
  const text3 = Array.isArray(value) ? value.findLast(isDefault)?.["template"] : isObject(value) ? value[DEFAULT] : void 0;
  if (typeof text3 === "string") return { file, text: text3 };
  throw invalid2(file, `${field} must be a text, or a list with a ${DEFAULT} one`, value);
}
var FILE, MORE_FILES, DEFAULT, MAX_TEMPLATE, MAX_REASON, ChatTemplate, isDefault;
var init_chat_template = __esm({
  "src/tokenizers/chat-template.ts"() {
    "use strict";
    init_errors();
    init_check_definition();
    init_jinja();
    FILE = "chat_template.jinja";
    MORE_FILES = "additional_chat_templates";
    DEFAULT = "default";
    MAX_TEMPLATE = 5e4;
    MAX_REASON = 200;
    ChatTemplate = class _ChatTemplate {
      /** The file that contains it. */
      file;
      #text;
      #tokens;
      constructor(file, text3, tokens) {
        this.file = file;
        this.#text = text3;
        this.#tokens = tokens;
      }
      /**
       * Reads a folder's template, and evaluates it once.
       * @param tokens the texts of the special tokens that have names, which a template can use
       * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming the file
       */
      static async read(folder2, tokens) {
        const { file, text: text3 } = await findTemplate(folder2);
        if (text3.length > MAX_TEMPLATE) {
          throw invalid2(file, `the chat template must have up to ${MAX_TEMPLATE} characters`, text3.length);
        }
        const template = new _ChatTemplate(file, text3.replaceAll(/\r\n?/g, "\n"), tokens);
        template.render("");
        return template;
      }
      /**
       * The text that a network reads for a user's message, up to where its answer begins, with thinking switched off.
       * @throws RetouchError CHECKPOINT_UNSUPPORTED for a template that does what is not evaluated here
       */
      render(content) {
        try {
          return renderTemplate(this.#text, {
            ...Object.fromEntries(this.#tokens),
            messages: [{ role: "user", content }],
            tools: null,
            documents: null,
            add_generation_prompt: true,
            enable_thinking: false
          });
        } catch (cause) {
          throw new RetouchError(
            "CHECKPOINT_UNSUPPORTED",
            `The chat template in ${this.file} cannot be evaluated: ${cutText(messageOf(cause), MAX_REASON)}.`,
            { cause }
          );
        }
      }
    };
    isDefault = (entry2) => isObject(entry2) && entry2["name"] === DEFAULT;
  }
});

// src/tokenizers/chat.ts
var ChatTokenizer;
var init_chat = __esm({
  "src/tokenizers/chat.ts"() {
    "use strict";
    init_chat_template();
    init_tokenizer();
    init_folder();
    init_check_definition();
    ChatTokenizer = class _ChatTokenizer {
      #tokenizer;
      #template;
      constructor(tokenizer, template) {
        this.#tokenizer = tokenizer;
        this.#template = template;
      }
      /** @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming the file */
      static async read(checkpoint, component) {
        const tokenizer = await Tokenizer.read(checkpoint, component, "qwen2");
        const folder2 = await TokenizerFolder.open(checkpoint, component);
        if (folder2.side("padding_side") !== "right") {
          throw invalid2(folder2.config.file, "padding_side must be right", "left");
        }
        return new _ChatTokenizer(tokenizer, await ChatTemplate.read(folder2, tokenizer.roles));
      }
      /** The file that contains the vocabulary. */
      get file() {
        return this.#tokenizer.file;
      }
      /** The text that is cut into tokens for a prompt. */
      text(prompt) {
        return this.#template.render(prompt);
      }
      /**
       * Encodes a prompt to exactly `length` ids, padded on the right. A text that does not fit loses its end, and with it
       * the end of the template.
       * @throws RetouchError CHECKPOINT_UNSUPPORTED or CHECKPOINT_INVALID if template or vocabulary fail on this text
       */
      encode(prompt, length2) {
        return this.#tokenizer.encodeAsIs(this.text(prompt), length2);
      }
    };
  }
});

// src/models/autoencoders/autoencoder-kl-flux2.ts
function flux2AutoencoderEncoder(config, weights) {
  const patches = spaceToDepth(autoencoderEncoder(config, weights).mean, PATCH_SIDE);
  const { mean, deviation } = statistics(config, weights);
  return { latents: div(sub(patches, mean), deviation) };
}
function flux2AutoencoderDecoder(config, weights) {
  const latents = input("latents", "float32", [1, patchChannels(config), "h", "w"]);
  const { mean, deviation } = statistics(config, weights);
  const patches = add(mul(latents, deviation), mean);
  return decoderOf(config, weights, depthToSpace(patches, PATCH_SIDE));
}
function statistics(config, weights) {
  const channels = patchChannels(config);
  const stored = (name) => reshape(weights.child("bn").tensor(name, [channels]), [1, channels, 1, 1]);
  return {
    mean: stored("running_mean"),
    deviation: sqrt(add(stored("running_var"), scalar(config.batchNormEpsilon)))
  };
}
var patchChannels;
var init_autoencoder_kl_flux2 = __esm({
  "src/models/autoencoders/autoencoder-kl-flux2.ts"() {
    "use strict";
    init_graph();
    init_ops();
    init_autoencoder_kl();
    init_flux2_autoencoder_config();
    patchChannels = ({ latentChannels }) => PATCH_SIDE ** 2 * latentChannels;
  }
});

// src/models/text-encoders/qwen3.ts
function qwen3Encoder(config, weights, { length: length2, layers }) {
  const own = weights.hasChild("model") ? weights.child("model") : weights;
  const table = own.child("embed_tokens");
  const bias = input("attentionBias", "float32", [1, 1, length2, KEYS]);
  const numKeys = sizeAlong(bias, 3);
  const rotary = {
    cos: input("rotaryCos", "float32", [1, length2, config.headSize / 2]),
    sin: input("rotarySin", "float32", [1, length2, config.headSize / 2])
  };
  const attention2 = {
    bias,
    rotary,
    numKeys,
    keyRotary: {
      cos: firstAlong(rotary.cos, 1, numKeys, KEYS),
      sin: firstAlong(rotary.sin, 1, numKeys, KEYS)
    }
  };
  const tokenIds = input("tokenIds", "int64", [length2]);
  const states = [table.rows("weight", [config.vocabularySize, config.width], tokenIds)];
  const numBuilt = Math.max(...layers);
  for (let index = 0; index < numBuilt; index += 1) {
    states.push(decoderLayer(config, own.child("layers", index), states[index], attention2));
  }
  if (numBuilt === config.numLayers)
    states[numBuilt] = rmsNorm2(own, "norm", states[numBuilt], config.epsilon);
  ignoreUnread(weights, own, config, numBuilt);
  const read = layers.map((index) => states[index]);
  return { promptEmbeds: read.length === 1 ? read[0] : concat(read, 1) };
}
function decoderLayer(config, weights, x, attention2) {
  const { mlpWidth, width, epsilon, activation } = config;
  const normed = rmsNorm2(weights, "input_layernorm", x, epsilon);
  const attended2 = add(x, selfAttention(config, weights.child("self_attn"), normed, attention2));
  const mlp = weights.child("mlp");
  const mlpInput = rmsNorm2(weights, "post_attention_layernorm", attended2, epsilon);
  const gate = activation(plainLinear(mlp, "gate_proj", mlpInput, mlpWidth));
  const up = mul(gate, plainLinear(mlp, "up_proj", mlpInput, mlpWidth));
  return add(attended2, plainLinear(mlp, "down_proj", up, width));
}
function selfAttention(config, weights, x, { bias, rotary, numKeys, keyRotary }) {
  const { numHeads, numKeyHeads, headSize, width, epsilon, hasBias } = config;
  const project2 = (name, from, size) => linear(weights, name, from, size, { hasBias });
  const turn = (from, norm2, { cos: cos2, sin: sin2 }, heads) => rotaryEmbedding(headNorm(weights, norm2, from, headSize, epsilon), cos2, sin2, heads, {
    isInterleaved: false
  });
  const repeat = (from) => repeatHeads(from, config);
  const known = firstAlong(x, 0, numKeys, KEYS);
  const query = turn(project2("q_proj", x, numHeads * headSize), "q_norm", rotary, numHeads);
  const key = turn(project2("k_proj", known, numKeyHeads * headSize), "k_norm", keyRotary, numKeyHeads);
  const value = batched(project2("v_proj", known, numKeyHeads * headSize));
  const attended2 = biasedAttention(query, repeat(key), repeat(value), { numHeads, bias });
  return project2("o_proj", unbatched(attended2), width);
}
function repeatHeads(x, { numHeads, numKeyHeads, headSize }) {
  if (numHeads === numKeyHeads) return x;
  const heads = reshape(x, [KEYS, numKeyHeads, 1, headSize]);
  const repeated2 = expand(heads, [KEYS, numKeyHeads, numHeads / numKeyHeads, headSize]);
  return reshape(repeated2, [1, KEYS, numHeads * headSize]);
}
function ignoreUnread(weights, own, config, numBuilt) {
  weights.ignore("lm_head.weight");
  own.ignore("norm.weight");
  for (let index = numBuilt; index < config.numLayers; index += 1) {
    for (const key of LAYER_KEYS) own.ignore(`layers.${index}.${key}`);
  }
}
function qwen3Inputs({ headSize, rotaryTheta }, ids, numTokens) {
  const length2 = ids.length;
  const attentionBias = new Float32Array(length2 * numTokens);
  for (let row = 0; row < numTokens; row += 1) {
    attentionBias.fill(MASKED, row * numTokens + row + 1, (row + 1) * numTokens);
  }
  const angles = rotaryAngles(length2, headSize, rotaryTheta);
  const table = (data) => ({ data, shape: [1, length2, headSize / 2] });
  return {
    tokenIds: { data: BigInt64Array.from(ids, (id) => BigInt(id)), shape: [length2] },
    attentionBias: { data: attentionBias, shape: [1, 1, length2, numTokens] },
    rotaryCos: table(angles.map(Math.cos)),
    rotarySin: table(angles.map(Math.sin))
  };
}
function rotaryAngles(length2, headSize, theta) {
  const half = headSize / 2;
  const frequencies = Float32Array.from({ length: half }, (_, pair) => {
    const power = Math.fround(theta ** Math.fround(2 * pair / headSize));
    return 1 / power;
  });
  return Float32Array.from(
    { length: length2 * half },
    (_, index) => Math.floor(index / half) * frequencies[index % half]
  );
}
var KEYS, MASKED, PROJECTIONS, LAYER_KEYS;
var init_qwen3 = __esm({
  "src/models/text-encoders/qwen3.ts"() {
    "use strict";
    init_graph();
    init_ops();
    init_layers();
    KEYS = "keys";
    MASKED = -3e38;
    PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj"];
    LAYER_KEYS = [
      ...PROJECTIONS.flatMap((name) => [`self_attn.${name}.weight`, `self_attn.${name}.bias`]),
      ...["self_attn.q_norm", "self_attn.k_norm", "input_layernorm", "post_attention_layernorm"].map(
        (name) => `${name}.weight`
      ),
      ...["gate_proj", "up_proj", "down_proj"].map((name) => `mlp.${name}.weight`)
    ];
  }
});

// src/models/transformers/flux2-modulation.ts
function flux2Modulation(config, weights, { isGuided: isGuided2 }) {
  const width = widthOf2(config);
  const embedders = weights.child("time_guidance_embed");
  const embed = (name, x) => {
    const scope = embedders.child(name);
    const hidden = linear(scope, "linear_1", sinusoidalEmbedding(x, config.timeChannels), width, NO_BIAS);
    return linear(scope, "linear_2", silu(hidden), width, NO_BIAS);
  };
  let embedding = embed("timestep_embedder", input("sigmas", "float32", ["steps"]));
  if (config.hasGuidance && isGuided2) {
    embedding = add(embedding, embed("guidance_embedder", input("guidance", "float32", [1])));
  } else if (config.hasGuidance) {
    for (const name of ["linear_1", "linear_2"]) embedders.ignore(`guidance_embedder.${name}.weight`);
  }
  const temb = silu(embedding);
  const vectors = LAYERS.map(
    ({ key, numVectors }) => linear(weights, key, temb, numVectors * width, NO_BIAS)
  );
  return { modulation: concat(vectors, 1) };
}
function flux2ModulationInput(config, name = "modulation") {
  const width = widthOf2(config);
  const modulation = input(name, "float32", [flux2ModulationSize(config)]);
  const parts = splitSizes(
    modulation,
    LAYERS.map(({ numVectors }) => numVectors * width),
    0
  );
  const [image, text3, single, output] = LAYERS.map(
    ({ numVectors }, index) => split(parts[index], numVectors, 0)
  );
  const [scale, shift] = output;
  return {
    doubleBlocks: { image: streamModulation(image), text: streamModulation(text3) },
    singleBlocks: modulationOf(single),
    output: { shift, scale }
  };
}
function modulationOf(vectors) {
  const [shift, scale, gate] = vectors;
  return { shift, scale, gate };
}
var LAYERS, NUM_VECTORS, NO_BIAS, flux2ModulationSize, streamModulation;
var init_flux2_modulation = __esm({
  "src/models/transformers/flux2-modulation.ts"() {
    "use strict";
    init_graph();
    init_ops();
    init_layers();
    init_flux2_config();
    init_time_embedding();
    LAYERS = [
      { key: "double_stream_modulation_img.linear", numVectors: 6 },
      { key: "double_stream_modulation_txt.linear", numVectors: 6 },
      { key: "single_stream_modulation.linear", numVectors: 3 },
      { key: "norm_out.linear", numVectors: 2 }
    ];
    NUM_VECTORS = LAYERS.reduce((sum, { numVectors }) => sum + numVectors, 0);
    NO_BIAS = { hasBias: false };
    flux2ModulationSize = (config) => NUM_VECTORS * widthOf2(config);
    streamModulation = (vectors) => ({
      attention: modulationOf(vectors),
      mlp: modulationOf(vectors.slice(3))
    });
  }
});

// src/models/transformers/flux2-blocks.ts
function doubleStreamBlock4(config, weights, { text: text3, image }, vectors, attend2) {
  const ofText = streamProjections(config, weights, "text", text3, vectors.text);
  const ofImage = streamProjections(config, weights, "image", image, vectors.image);
  const attended2 = attend2({
    query: concat([ofText.query, ofImage.query], 1, "tokens"),
    key: concat([ofText.key, ofImage.key], 1, "tokens"),
    value: concat([ofText.value, ofImage.value], 0, "tokens")
  });
  return {
    text: finishStream(config, weights, "text", text3, rowsLike(attended2, text3), vectors.text),
    image: finishStream(
      config,
      weights,
      "image",
      image,
      rowsAfter(attended2, text3, image.shape[0]),
      vectors.image
    )
  };
}
function streamProjections(config, weights, stream3, x, { attention: attention2 }) {
  const scope = weights.child("attn");
  const layers = LAYERS2[stream3];
  const normed = modulate(x, attention2, config.epsilon);
  const project2 = (name) => linear(scope, name, normed, widthOf2(config), NO_BIAS2);
  return {
    query: normedHeads(config, scope, layers.queryNorm, project2(layers.query)),
    key: normedHeads(config, scope, layers.keyNorm, project2(layers.key)),
    value: project2(layers.value)
  };
}
function finishStream(config, weights, stream3, x, attended2, { attention: attention2, mlp }) {
  const { output, feedForward: feedForward2 } = LAYERS2[stream3];
  const width = widthOf2(config);
  const afterAttention = gated(
    x,
    attention2.gate,
    linear(weights.child("attn"), output, attended2, width, NO_BIAS2)
  );
  const scope = weights.child(feedForward2);
  const normed = modulate(afterAttention, mlp, config.epsilon);
  const [gate, up] = split(linear(scope, "linear_in", normed, 2 * mlpWidthOf(config), NO_BIAS2), 2, 1);
  return gated(
    afterAttention,
    mlp.gate,
    linear(scope, "linear_out", mul(silu(gate), up), width, NO_BIAS2)
  );
}
function singleStreamBlock4(config, weights, hiddenStates, modulation, attend2) {
  const { gate, up, ...projections } = singleProjections(config, weights, hiddenStates, modulation);
  const joined2 = concat([attend2(projections), mul(silu(gate), up)], 1);
  return gated(
    hiddenStates,
    modulation.gate,
    linear(weights.child("attn"), "to_out", joined2, widthOf2(config), NO_BIAS2)
  );
}
function singleProjections(config, weights, hiddenStates, modulation) {
  const scope = weights.child("attn");
  const normed = modulate(hiddenStates, modulation, config.epsilon);
  const [width, mlpWidth] = [widthOf2(config), mlpWidthOf(config)];
  const sizes = [width, width, width, mlpWidth, mlpWidth];
  const fused = linear(scope, "to_qkv_mlp_proj", normed, 3 * width + 2 * mlpWidth, NO_BIAS2);
  const [query, key, value, gate, up] = splitSizes(fused, sizes, 1);
  return {
    query: normedHeads(config, scope, "norm_q", query),
    key: normedHeads(config, scope, "norm_k", key),
    value,
    gate,
    up
  };
}
function attendOver({ numHeads }, { query, key, value }) {
  const typed = (x) => cast(x, typeOf(value));
  return unbatched(attention(typed(query), typed(key), batched(value), { numHeads }));
}
var LAYERS2, NO_BIAS2, normedHeads, rotaryInputs, rotated, attendToAll;
var init_flux2_blocks = __esm({
  "src/models/transformers/flux2-blocks.ts"() {
    "use strict";
    init_graph();
    init_ops();
    init_layers();
    init_adaptive_norm();
    init_flux2_config();
    LAYERS2 = {
      image: {
        query: "to_q",
        key: "to_k",
        value: "to_v",
        queryNorm: "norm_q",
        keyNorm: "norm_k",
        output: "to_out.0",
        feedForward: "ff"
      },
      text: {
        query: "add_q_proj",
        key: "add_k_proj",
        value: "add_v_proj",
        queryNorm: "norm_added_q",
        keyNorm: "norm_added_k",
        output: "to_add_out",
        feedForward: "ff_context"
      }
    };
    NO_BIAS2 = { hasBias: false };
    normedHeads = (config, weights, name, x) => headNorm(weights, name, x, config.headSize, config.epsilon);
    rotaryInputs = ({ headSize }, tokens) => ({
      cos: input("rotaryCos", "float32", [1, tokens, headSize / 2]),
      sin: input("rotarySin", "float32", [1, tokens, headSize / 2])
    });
    rotated = ({ numHeads }, x, { cos: cos2, sin: sin2 }) => rotaryEmbedding(x, cos2, sin2, numHeads);
    attendToAll = (config, rotary) => ({ query, key, value }) => attendOver(config, {
      query: rotated(config, query, rotary),
      key: rotated(config, key, rotary),
      value
    });
  }
});

// src/models/transformers/flux2.ts
function flux2Transformer(config, weights, options) {
  const latents = input("latents", "float32", ["target", config.inChannels]);
  const references = input("referenceLatents", "float32", ["reference", config.inChannels]);
  const images = concat([latents, references], 0, "images");
  const attend2 = attendToAll(config, rotaryInputs(config, "tokens"));
  const { velocity } = flux2Velocity(config, weights, options, { latents, images, attend: () => attend2 });
  return { velocity };
}
function flux2Velocity(config, weights, { textLength, computeType = "float32" }, { latents, images, attend: attend2 }) {
  const promptEmbeds = input("promptEmbeds", "float32", [textLength, config.promptSize]);
  const vectors = flux2ModulationInput(config);
  let image = embedTokens(config, weights, "x_embedder", images, computeType);
  let text3 = embedTokens(config, weights, "context_embedder", promptEmbeds, computeType);
  for (let index = 0; index < config.numDoubleBlocks; index += 1) {
    const block = weights.child("transformer_blocks", index);
    ({ text: text3, image } = doubleStreamBlock4(
      config,
      block,
      { text: text3, image },
      vectors.doubleBlocks,
      attend2(index)
    ));
  }
  let joined2 = concat([text3, image], 0, "tokens");
  for (let index = 0; index < config.numSingleBlocks; index += 1) {
    const block = weights.child("single_transformer_blocks", index);
    const attendInBlock = attend2(config.numDoubleBlocks + index);
    joined2 = singleStreamBlock4(config, block, joined2, vectors.singleBlocks, attendInBlock);
  }
  const predicted = rowsLike(rowsAfter(joined2, text3, images.shape[0]), latents);
  return { velocity: outputLayer(config, weights, predicted, vectors) };
}
function outputLayer(config, weights, x, { output }) {
  const normed = modulate(toFloat32(x), output, config.epsilon);
  return linear(weights, "proj_out", normed, config.outChannels, { hasBias: false });
}
var embedTokens;
var init_flux2 = __esm({
  "src/models/transformers/flux2.ts"() {
    "use strict";
    init_graph();
    init_ops();
    init_layers();
    init_adaptive_norm();
    init_flux2_blocks();
    init_flux2_config();
    init_flux2_modulation();
    embedTokens = (config, weights, name, x, computeType) => cast(linear(weights, name, x, widthOf2(config), { hasBias: false }), computeType);
  }
});

// src/models/transformers/flux2-references.ts
function flux2References(config, weights, { computeType = "float32" } = {}) {
  const latents = input("referenceLatents", "float32", ["reference", config.inChannels]);
  const { doubleBlocks, singleBlocks } = flux2ModulationInput(config);
  const rotary = rotaryInputs(config, "reference");
  const attend2 = attendToAll(config, rotary);
  const outputs = {};
  const names = referenceNames(config);
  const keep = (block, { key, value }) => {
    outputs[names[block].key] = reshape(rotated(config, key, rotary), value.shape);
    outputs[names[block].value] = toFloat32(value);
  };
  let tokens = embedTokens(config, weights, "x_embedder", latents, computeType);
  for (let index = 0; index < config.numDoubleBlocks; index += 1) {
    const block = weights.child("transformer_blocks", index);
    const projections = streamProjections(config, block, "image", tokens, doubleBlocks.image);
    keep(index, projections);
    tokens = finishStream(config, block, "image", tokens, attend2(projections), doubleBlocks.image);
  }
  for (let index = 0; index < config.numSingleBlocks; index += 1) {
    const block = weights.child("single_transformer_blocks", index);
    const keepAndAttend = (projections) => {
      keep(config.numDoubleBlocks + index, projections);
      return attend2(projections);
    };
    tokens = singleStreamBlock4(config, block, tokens, singleBlocks, keepAndAttend);
  }
  return outputs;
}
function flux2CachedTransformer(config, weights, options) {
  const latents = input("latents", "float32", ["target", config.inChannels]);
  const rotary = rotaryInputs(config, "tokens");
  const names = referenceNames(config);
  const width = widthOf2(config);
  const attend2 = (block) => {
    const kept = (name) => input(name, "float32", ["reference", width]);
    const [referenceKeys, referenceValues] = [kept(names[block].key), kept(names[block].value)];
    return ({ query, key, value }) => attendOver(config, {
      query: rotated(config, query, rotary),
      key: concat(
        [rotated(config, key, rotary), reshape(referenceKeys, [1, ...referenceKeys.shape])],
        1,
        "attended"
      ),
      value: concat([value, cast(referenceValues, typeOf(value))], 0, "attended")
    });
  };
  return flux2Velocity(config, weights, options, { latents, images: latents, attend: attend2 });
}
var REFERENCE_SIGMA, referenceNames;
var init_flux2_references = __esm({
  "src/models/transformers/flux2-references.ts"() {
    "use strict";
    init_graph();
    init_ops();
    init_flux2_blocks();
    init_flux2();
    init_flux2_config();
    init_flux2_modulation();
    REFERENCE_SIGMA = 0;
    referenceNames = ({
      numDoubleBlocks,
      numSingleBlocks
    }) => Array.from({ length: numDoubleBlocks + numSingleBlocks }, (_, block) => ({
      key: `referenceKeys.${block}`,
      value: `referenceValues.${block}`
    }));
  }
});

// src/pipelines/flux2-klein/trials.ts
function rotaryInputs2({ headSize }, numbers, tokens) {
  const { cos: rotaryCos, sin: rotarySin } = numbers.angles([1, tokens, headSize / 2]);
  return { rotaryCos, rotarySin };
}
var qwen3Trial, MODULATION_TRIAL, referencesTrial, transformerTrial2, firstBlocks2;
var init_trials2 = __esm({
  "src/pipelines/flux2-klein/trials.ts"() {
    "use strict";
    init_qwen3();
    init_flux2_references();
    init_components2();
    qwen3Trial = (qwen32) => {
      const { text: text3 } = TRIAL_TOKENS;
      return {
        part: "the first layer of Qwen3",
        build: (weights) => qwen3Encoder(qwen32, weights, { length: "text", layers: [1] }),
        dims: { text: text3, keys: text3 },
        inputs: (numbers) => ({
          ...qwen3Inputs(qwen32, new Array(text3).fill(0), text3),
          tokenIds: numbers.whole([text3], qwen32.vocabularySize)
        })
      };
    };
    MODULATION_TRIAL = {
      part: "the modulation",
      dims: { steps: 3 },
      inputs: () => ({ sigmas: { data: Float32Array.of(1, 0.6, 0.03), shape: [3] } })
    };
    referencesTrial = (transformer) => ({
      part: "the first blocks of the references",
      build: (weights, { computeType } = {}) => flux2References(firstBlocks2(transformer), weights, { computeType }),
      dims: { reference: TRIAL_TOKENS.reference },
      inputs: (numbers) => rotaryInputs2(transformer, numbers, TRIAL_TOKENS.reference)
    });
    transformerTrial2 = (transformer, buildWith, dims) => ({
      part: "the first blocks of the transformer",
      build: (weights, { computeType } = {}) => buildWith(firstBlocks2(transformer), weights, { textLength: "text", computeType }),
      dims,
      inputs: (numbers) => rotaryInputs2(transformer, numbers, dims["tokens"]),
      isTimed: true
    });
    firstBlocks2 = (transformer) => ({
      ...transformer,
      numDoubleBlocks: Math.min(1, transformer.numDoubleBlocks),
      numSingleBlocks: Math.min(1, transformer.numSingleBlocks)
    });
  }
});

// src/pipelines/flux2-klein/components.ts
function planKlein(configs) {
  const { autoencoder, transformer, areReferencesKept } = configs;
  return {
    components: [
      qwen3Component(configs),
      encoderComponent(autoencoder, (weights) => flux2AutoencoderEncoder(autoencoder, weights)),
      modulationComponent2(configs),
      ...areReferencesKept ? [referencesComponent(configs)] : [],
      transformerComponent2(configs),
      decoderComponent(autoencoder, (weights) => flux2AutoencoderDecoder(autoencoder, weights))
    ],
    native: nativeScale2(autoencoder),
    usual: usualPasses(configs),
    heldBytes: (edit) => modulationBytes2(transformer, edit) + REMEMBERED_PROMPT_BYTES + REMEMBERED_REFERENCE_BYTES + (areReferencesKept ? keptBytes(configs, edit) : 0)
  };
}
function qwen3Component({ qwen3: qwen32, textLength: usual }) {
  return {
    name: "qwen3",
    weights: "qwen3",
    folder: "text_encoder",
    build: (weights) => qwen3Encoder(qwen32, weights, { length: "text", layers: PROMPT_LAYERS }),
    leastPrecision: "int4",
    workingBytes: ({ textLength = usual }) => textBytes2(qwen32, textLength),
    runs: (edit) => {
      const { textLength = usual } = edit;
      return { times: passesOf(edit), dims: { text: textLength, keys: textLength } };
    },
    trial: qwen3Trial(qwen32)
  };
}
function modulationComponent2({ transformer, areReferencesKept }) {
  return {
    name: "modulation",
    weights: "transformer",
    folder: "transformer",
    // The pipeline gives no guidance to any network.
    build: (weights) => flux2Modulation(transformer, weights, { isGuided: false }),
    isAdaptable: true,
    // Noise levels may differ by only a thousandth, so 8 bits is the minimum.
    leastPrecision: "int8",
    workingBytes: (edit) => 2 * modulationBytes2(transformer, edit),
    runs: ({ numSteps }) => ({ times: 1, dims: { steps: numSteps + (areReferencesKept ? 1 : 0) } }),
    trial: MODULATION_TRIAL
  };
}
function referencesComponent(configs) {
  const { transformer } = configs;
  return {
    name: "references",
    weights: "transformer",
    folder: "transformer",
    build: (weights, { computeType } = {}) => flux2References(transformer, weights, { computeType }),
    isAdaptable: true,
    leastPrecision: "int4",
    workingBytes: (edit) => blockBytes(transformer, tokensOf(configs, edit).reference),
    runs: (edit) => ({
      times: edit.references.length === 0 ? 0 : 1,
      dims: { reference: tokensOf(configs, edit).reference }
    }),
    trial: referencesTrial(transformer)
  };
}
function transformerComponent2(configs) {
  const { transformer, areReferencesKept } = configs;
  const buildWith = areReferencesKept ? flux2CachedTransformer : flux2Transformer;
  return {
    name: "transformer",
    weights: "transformer",
    folder: "transformer",
    build: (weights, { computeType } = {}) => buildWith(transformer, weights, { textLength: "text", computeType }),
    isAdaptable: true,
    leastPrecision: "int4",
    workingBytes(edit) {
      const { text: text3, target, reference } = tokensOf(configs, edit);
      const others = areReferencesKept ? 2 * reference * widthOf2(transformer) * FLOAT5 : 0;
      return blockBytes(transformer, text3 + target + (areReferencesKept ? 0 : reference)) + others;
    },
    runs: (edit) => ({
      times: edit.numSteps * passesOf(edit),
      dims: dimsOf2(tokensOf(configs, edit), areReferencesKept)
    }),
    trial: transformerTrial2(transformer, buildWith, dimsOf2(TRIAL_TOKENS, areReferencesKept))
  };
}
function dimsOf2({ text: text3, target, reference }, areReferencesKept) {
  const images = target + (areReferencesKept ? 0 : reference);
  const dims = { text: text3, target, reference, images, tokens: text3 + images };
  return areReferencesKept ? { ...dims, attended: text3 + target + reference } : dims;
}
function tokensOf({ autoencoder: { scaleFactor }, textLength: usual }, { target, references, textLength = usual }) {
  const perToken = (PATCH_SIDE * scaleFactor) ** 2;
  return {
    text: textLength,
    target: pixelsOf(target) / perToken,
    reference: references.reduce((sum, size) => sum + pixelsOf(size) / perToken, 0)
  };
}
function keptBytes(configs, edit) {
  const { transformer } = configs;
  const numBlocks = transformer.numDoubleBlocks + transformer.numSingleBlocks;
  return 2 * numBlocks * tokensOf(configs, edit).reference * widthOf2(transformer) * FLOAT5;
}
function textBytes2({ width, mlpWidth, numHeads }, length2) {
  const outputs = PROMPT_LAYERS.length * 2 * width;
  return (2 * numHeads * length2 ** 2 + length2 * (3 * mlpWidth + 4 * width + outputs)) * FLOAT5;
}
var PROMPT_LAYERS, FLOAT5, TRANSFORMER_ROWS2, TRANSFORMER_MLP_ROWS, NATIVE_CELLS, DISTILLED_STEPS, UNDISTILLED_STEPS, nativeScale2, usualPasses, blockBytes, modulationBytes2;
var init_components4 = __esm({
  "src/pipelines/flux2-klein/components.ts"() {
    "use strict";
    init_autoencoder_kl_flux2();
    init_flux2_autoencoder_config();
    init_qwen3();
    init_flux2_config();
    init_flux2_modulation();
    init_flux2_references();
    init_flux2();
    init_components2();
    init_remembered();
    init_trials2();
    PROMPT_LAYERS = [9, 18, 27];
    FLOAT5 = 4;
    TRANSFORMER_ROWS2 = 12;
    TRANSFORMER_MLP_ROWS = 4;
    NATIVE_CELLS = 128;
    DISTILLED_STEPS = 4;
    UNDISTILLED_STEPS = 50;
    nativeScale2 = ({ scaleFactor }) => ({
      area: (NATIVE_CELLS * scaleFactor) ** 2,
      grid: PATCH_SIDE * scaleFactor,
      isSmallKept: true
    });
    usualPasses = ({ isDistilled: isDistilled2 }) => ({
      numSteps: isDistilled2 ? DISTILLED_STEPS : UNDISTILLED_STEPS,
      isNegativeUsed: !isDistilled2
    });
    blockBytes = (config, tokens) => (TRANSFORMER_ROWS2 + TRANSFORMER_MLP_ROWS * config.mlpRatio) * tokens * widthOf2(config) * FLOAT5;
    modulationBytes2 = (config, { numSteps }) => (numSteps + 1) * flux2ModulationSize(config) * FLOAT5;
  }
});

// src/models/layouts/qwen3-layouts.ts
function llamaQwen3Layout(config, file) {
  const { width, vocabularySize, numLayers } = config;
  const table = [vocabularySize, width];
  return [
    entry("token_embd.weight", "model.embed_tokens.weight", table),
    ...repeated(numLayers, (index) => layer2(config, index)),
    entry("output_norm.weight", "model.norm.weight", [width]),
    ...file.has(OUTPUT) ? [entry(OUTPUT, "lm_head.weight", table)] : []
  ];
}
function layer2(config, index) {
  const { width, mlpWidth, numHeads, numKeyHeads, headSize, hasBias } = config;
  const [inner, keys] = [numHeads * headSize, numKeyHeads * headSize];
  const own = (from, to, shape) => entry(`blk.${index}.${from}`, `model.layers.${index}.${to}`, shape);
  const weight2 = (from, to, shape) => own(`${from}.weight`, `${to}.weight`, shape);
  const projection = (from, to, [rows2, columns]) => [
    weight2(from, to, [rows2, columns]),
    ...hasBias ? [own(`${from}.bias`, `${to}.bias`, [rows2])] : []
  ];
  return [
    weight2("attn_norm", "input_layernorm", [width]),
    ...projection("attn_q", "self_attn.q_proj", [inner, width]),
    weight2("attn_q_norm", "self_attn.q_norm", [headSize]),
    ...projection("attn_k", "self_attn.k_proj", [keys, width]),
    weight2("attn_k_norm", "self_attn.k_norm", [headSize]),
    ...projection("attn_v", "self_attn.v_proj", [keys, width]),
    ...projection("attn_output", "self_attn.o_proj", [width, inner]),
    weight2("ffn_norm", "post_attention_layernorm", [width]),
    weight2("ffn_gate", "mlp.gate_proj", [mlpWidth, width]),
    weight2("ffn_up", "mlp.up_proj", [mlpWidth, width]),
    weight2("ffn_down", "mlp.down_proj", [width, mlpWidth])
  ];
}
var OUTPUT, entry;
var init_qwen3_layouts = __esm({
  "src/models/layouts/qwen3-layouts.ts"() {
    "use strict";
    init_layout_entries();
    OUTPUT = "output.weight";
    entry = (from, to, shape) => ({
      key: from,
      shape,
      parts: [{ key: to, shape }]
    });
  }
});

// src/pipelines/flux2-klein/stored.ts
var TRANSFORMER2, AUTOENCODER2, qwen3, LAYER, isReadBy, readTransformer2, readAutoencoder2, readQwen3;
var init_stored3 = __esm({
  "src/pipelines/flux2-klein/stored.ts"() {
    "use strict";
    init_flux2_autoencoder_config();
    init_autoencoder_sizes();
    init_file_networks();
    init_original_autoencoder();
    init_original_flux2();
    init_qwen3_layouts();
    init_transformer_sizes();
    init_qwen3_config();
    init_flux2_config();
    init_stored();
    TRANSFORMER2 = {
      wanted: wantedOf("transformer", "FLUX.2"),
      className: "Flux2Transformer2DModel",
      options: { own: "transformer" },
      readConfig: readFlux2Config,
      readers: {
        "FLUX.2's original transformer": { sizesOf: originalFlux2Sizes, layoutOf: originalFlux2Layout },
        "FLUX.2's transformer of diffusers": { sizesOf: diffusersFlux2Sizes, layoutOf: ownLayout }
      }
    };
    AUTOENCODER2 = {
      wanted: wantedOf("vae", "FLUX.2"),
      className: "AutoencoderKLFlux2",
      options: { own: "vae" },
      readConfig: readFlux2AutoencoderConfig,
      readers: {
        "FLUX.2's original autoencoder": {
          sizesOf: originalFlux2AutoencoderSizes,
          layoutOf: originalFlux2AutoencoderLayout
        },
        "FLUX.2's autoencoder of diffusers": { sizesOf: diffusersFlux2AutoencoderSizes, layoutOf: ownLayout }
      }
    };
    qwen3 = (layers) => ({
      wanted: wantedOf("qwen3"),
      className: "Qwen3ForCausalLM",
      options: { own: "textEncoder" },
      readConfig: (config) => readQwen3Config(config, { layers }),
      readers: {
        "transformers' Qwen3": { layoutOf: ownLayout },
        "llama.cpp's Qwen3": { layoutOf: llamaQwen3Layout }
      },
      isRead: isReadBy(layers)
    });
    LAYER = /^(?:model\.)?layers\.(\d+)\./;
    isReadBy = (layers) => (key) => {
      const index = LAYER.exec(key)?.[1];
      return index === void 0 ? key !== "lm_head.weight" : Number(index) < Math.max(...layers);
    };
    readTransformer2 = (checkpoint) => readNetwork(checkpoint, TRANSFORMER2);
    readAutoencoder2 = (checkpoint) => readNetwork(checkpoint, AUTOENCODER2);
    readQwen3 = (checkpoint, layers) => readNetwork(checkpoint, qwen3(layers));
  }
});

// src/pipelines/flux2-klein/checkpoint.ts
async function readKlein(checkpoint, form) {
  checkpoint.assertClass("scheduler", "FlowMatchEulerDiscreteScheduler");
  const schedule = await readSchedule(checkpoint);
  const transformer = await readTransformer2(checkpoint);
  const vae = await readAutoencoder2(checkpoint);
  const qwen32 = await readQwen3(checkpoint, PROMPT_LAYERS);
  const numBlocks = transformer.config.numDoubleBlocks + transformer.config.numSingleBlocks;
  const configs = {
    transformer: transformer.config,
    autoencoder: vae.config,
    qwen3: qwen32.config,
    textLength: MAX_QWEN3_TOKENS,
    isDistilled: isDistilled(checkpoint.index, form),
    // Without blocks there are no keys and values to keep, and both classes are the same network.
    areReferencesKept: form.areReferencesKept && numBlocks > 0
  };
  assertFitting(transformer, vae, qwen32);
  return {
    schedule,
    configs,
    tokenizer: await ChatTokenizer.read(checkpoint, "tokenizer"),
    stored: { transformer: transformer.weights, qwen3: qwen32.weights, vae: vae.weights }
  };
}
async function readSchedule(checkpoint) {
  const config = await checkpoint.config("scheduler/scheduler_config.json");
  if (config.truth("use_flow_sigmas", false)) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${config.file}, use_flow_sigmas is true; noise levels of the scheduler's own are not supported.`
    );
  }
  return readScheduleConfig(config);
}
function assertFitting({ source, config: { inChannels, promptSize } }, vae, qwen32) {
  const { latentChannels } = vae.config;
  if (inChannels !== PATCH_SIDE ** 2 * latentChannels) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `The transformer in ${source} has ${inChannels} channels and the autoencoder in ${vae.source} ${latentChannels}; four times as many are wanted.`
    );
  }
  const { width } = qwen32.config;
  const numLayers = PROMPT_LAYERS.length;
  if (promptSize === numLayers * width) return;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `The transformer in ${source} is for text embeddings of ${promptSize} numbers, and the text encoder in ${qwen32.source} gives ${numLayers * width}: ${numLayers} layers of ${width}.`
  );
}
var isDistilled;
var init_checkpoint2 = __esm({
  "src/pipelines/flux2-klein/checkpoint.ts"() {
    "use strict";
    init_errors();
    init_flux2_autoencoder_config();
    init_qwen3_config();
    init_chat();
    init_noise_schedule();
    init_components4();
    init_stored3();
    isDistilled = (index, { areReferencesKept, isApproximate = false }) => areReferencesKept && !isApproximate || index.truth("is_distilled", false);
  }
});

// src/pipelines/flux2-klein/conditioning.ts
function checkTaken({ configs: { transformer } }, { prompt2 }, { embeds, negativeEmbeds, latents }, numTokens) {
  if (prompt2 !== void 0) {
    throw invalid("unsupported", {
      field: "prompt2",
      reason: "the model of this checkpoint reads one prompt"
    });
  }
  checkShape("promptEmbeds", embeds?.promptEmbeds, ["L", transformer.promptSize]);
  checkShape("negativePromptEmbeds", negativeEmbeds?.promptEmbeds, ["L", transformer.promptSize]);
  checkShape("latents", latents, [numTokens, transformer.inChannels]);
}
async function encodePrompts2(networks2, { prompt, negativePrompt, maxSequenceLength: length2 }, { embeds, negativeEmbeds }, { isGuided: isGuided2 }) {
  const positive = embeds ? promptOf2(embeds) : await networks2.encodePrompt(prompt, length2);
  if (!isGuided2) return { positive, negative: void 0 };
  const negative = negativeEmbeds ? promptOf2(negativeEmbeds) : (
    // Blank means none, and none is the empty text.
    await networks2.encodePrompt(negativePrompt.trim() === "" ? "" : negativePrompt, length2)
  );
  return { positive, negative };
}
async function encodeReferences(networks2, images, { references }) {
  const latents = [];
  for (const [index, image] of images.entries())
    latents.push(await encode(networks2, image, references[index]));
  return latents;
}
async function createReferences(networks2, latents, ids, adapters) {
  const { transformer, areReferencesKept } = networks2.configs;
  const tokens = joined(latents);
  if (!areReferencesKept) return { referenceLatents: networks2.tokens(tokens) };
  if (latents.length === 0) {
    const none = { data: new Float32Array(0), shape: [0, widthOf2(transformer)] };
    return Object.fromEntries(
      referenceNames(transformer).flatMap(({ key, value }) => [[key, none], [value, none]])
    );
  }
  const { rotaryAxes: axes, rotaryTheta: theta } = transformer;
  const [modulation] = await networks2.modulations(Float32Array.of(REFERENCE_SIGMA), adapters);
  const rotary = rotaryTable(joined(ids), { axes, theta });
  return networks2.referenceKeys(tokens, rotary, { modulation, adapters });
}
var promptOf2, cutNotices2, velocityOf2;
var init_conditioning2 = __esm({
  "src/pipelines/flux2-klein/conditioning.ts"() {
    "use strict";
    init_errors();
    init_flux2_references();
    init_rotary();
    init_flux2_config();
    init_given();
    init_notices();
    init_pictures();
    init_rotary2();
    promptOf2 = ({ promptEmbeds }) => ({
      promptEmbeds,
      tokenIds: [],
      isCut: false
    });
    cutNotices2 = ({ positive, negative }) => [
      ...positive.isCut ? [cutNotice("prompt", positive.promptEmbeds.shape[0])] : [],
      ...negative?.isCut ? [cutNotice("negative prompt", negative.promptEmbeds.shape[0])] : []
    ];
    velocityOf2 = (networks2, inputs, modulationAt) => async ({ latents, sigma }) => networks2.velocity({ ...inputs, latents, modulation: await modulationAt(sigma) });
  }
});

// src/pipelines/flux2-klein/guidance.ts
function guidanceNotices(configs, request, hasNegativeEmbeds) {
  const hasNegative = request.negativePrompt.trim() !== "" || hasNegativeEmbeds;
  if (configs.isDistilled) {
    return [
      ...request.guidance > 1 ? [NO_GUIDANCE] : [],
      ...hasNegative || request.isEmptyNegativeUsed ? [NO_NEGATIVE] : []
    ];
  }
  if (!isGuided(configs, request)) return hasNegative ? [NEEDS_GUIDANCE] : [];
  return request.trueCfgScale === EDIT_PARAMETERS.trueCfgScale.default ? [] : [NO_SCALE];
}
var isGuided, NO_GUIDANCE, NO_NEGATIVE, NEEDS_GUIDANCE, NO_SCALE;
var init_guidance2 = __esm({
  "src/pipelines/flux2-klein/guidance.ts"() {
    "use strict";
    init_edit_parameters();
    isGuided = ({ isDistilled: isDistilled2 }, { guidance }) => !isDistilled2 && guidance > 1;
    NO_GUIDANCE = "Guidance has no effect on this model, which was distilled to do without it.";
    NO_NEGATIVE = "The negative prompt has no effect on this model, which was distilled to do without guidance.";
    NEEDS_GUIDANCE = "The negative prompt had no effect: on this model, guidance above 1 applies it.";
    NO_SCALE = "The true CFG scale has no effect on this model: its guidance is the strength of the negative prompt, too.";
  }
});

// src/pipelines/flux2-klein/positions.ts
function textIds2(length2) {
  const ids = new Float32Array(length2 * AXES);
  for (let token = 0; token < length2; token += 1) ids[token * AXES + 3] = token;
  return ids;
}
function idsOf({ width, height }, time) {
  const [numRows, numColumns] = [height >> 1, width >> 1];
  const ids = new Float32Array(numRows * numColumns * AXES);
  for (let token = 0; token < numRows * numColumns; token += 1) {
    ids.set([time, Math.floor(token / numColumns), token % numColumns, 0], token * AXES);
  }
  return ids;
}
var AXES, TARGET_TIME, FIRST_REFERENCE_TIME, BETWEEN_REFERENCES, targetIds, referenceIds;
var init_positions = __esm({
  "src/pipelines/flux2-klein/positions.ts"() {
    "use strict";
    AXES = 4;
    TARGET_TIME = 0;
    FIRST_REFERENCE_TIME = 10;
    BETWEEN_REFERENCES = 10;
    targetIds = (grid) => idsOf(grid, TARGET_TIME);
    referenceIds = (grid, index) => idsOf(grid, FIRST_REFERENCE_TIME + index * BETWEEN_REFERENCES);
  }
});

// src/pipelines/flux2-klein/time-shift.ts
function empiricalShift(numTokens, numSteps) {
  const of = ({ slope, offset }) => slope * numTokens + offset;
  const of200 = of(OF_200_STEPS);
  if (numTokens > MAX_TOKENS_BY_STEPS) return of200;
  const perStep = (of200 - of(OF_10_STEPS)) / 190;
  return perStep * numSteps + (of200 - 200 * perStep);
}
var OF_10_STEPS, OF_200_STEPS, MAX_TOKENS_BY_STEPS;
var init_time_shift = __esm({
  "src/pipelines/flux2-klein/time-shift.ts"() {
    "use strict";
    OF_10_STEPS = { slope: 873809524e-13, offset: 1.89833333 };
    OF_200_STEPS = { slope: 16927e-8, offset: 0.45666666 };
    MAX_TOKENS_BY_STEPS = 4300;
  }
});

// src/pipelines/flux2-klein/edit.ts
async function* editImages(networks2, images, request, options = {}) {
  const { signal, isSketched, loras, sizes, resume, given = {}, place = ALONE, isLatentOnly } = options;
  const { configs, schedule } = networks2;
  const { inChannels: numChannels, rotaryAxes: axes, rotaryTheta: theta } = configs.transformer;
  const plan = sizes ?? planSizes(images, request.size, networks2.native);
  const { size, target, references } = plan;
  const targetGrid = networks2.latentSize(target.canvas);
  const numTokens = targetGrid.width * targetGrid.height / 4;
  checkTaken(networks2, request, given, numTokens);
  const levels = noiseLevels(schedule, request, empiricalShift(numTokens, request.numSteps));
  const hasNegative = isGuided(configs, request);
  await networks2.prepare({
    target: target.canvas,
    references: references.map(({ canvas }) => canvas),
    numSteps: request.numSteps,
    isNegativeUsed: hasNegative,
    textLength: textLengthOf(configs.textLength, request, given),
    loraBytes: loras?.memoryBytes
  });
  const adapted = await loras?.read();
  const prompts = await encodePrompts2(networks2, request, given, { isGuided: hasNegative });
  throwIfAborted2(signal);
  const encoded = await encodeReferences(networks2, images, plan);
  if (isSketched) await networks2.sketcher();
  const ids = references.map(({ canvas }, index) => referenceIds(networks2.latentSize(canvas), index));
  const passing = configs.areReferencesKept ? [] : ids;
  const rotaryOf = createRotary({ axes, theta, textIds: textIds2, imageIds: [targetIds(targetGrid), ...passing] });
  const from = resume?.([numTokens, numChannels]);
  const noise = new BatchNoise(request.seed, numTokens * numChannels, place);
  const start = given.latents?.data ?? planesToTokens(noise.next(), numChannels);
  if (schedule.isStochastic) noise.skip(from?.step ?? 0);
  throwIfAborted2(signal);
  const started = performance.now();
  const adapters = adapted?.adapters;
  const modulationAt = await createModulation(
    levels,
    schedule,
    (wanted) => networks2.modulations(wanted, adapters)
  );
  const seen = await createReferences(networks2, encoded, ids, adapters);
  const ofPrompt = (prompt) => {
    const rotary = rotaryOf(prompt.promptEmbeds.shape[0]);
    return velocityOf2(networks2, { references: seen, prompt, rotary, adapters }, modulationAt);
  };
  const positive = ofPrompt(prompts.positive);
  const velocity = prompts.negative ? withTrueGuidance(positive, ofPrompt(prompts.negative), request.guidance) : positive;
  const latents = yield* denoise(networks2, target, {
    velocity,
    start,
    sigmas: levels.sigmas,
    from,
    noise: schedule.isStochastic ? () => noise.next() : void 0,
    signal,
    started
  });
  const outcome = {
    size,
    latents: { data: latents, shape: [numTokens, numChannels] },
    workingSize: target.content,
    referenceSize: references[0]?.content,
    isNegativeUsed: hasNegative,
    trueCfgScale: request.guidance,
    notices: [
      ...adapted?.notices ?? [],
      ...cutNotices2(prompts),
      ...guidanceNotices(configs, request, given.negativeEmbeds !== void 0)
    ]
  };
  if (isLatentOnly) return outcome;
  const [first] = images;
  const kept = request.isUnchangedKept && first ? { picture: first, latents: encoded[0] } : void 0;
  const result = await resultOf(networks2, latents, plan, kept);
  return { ...outcome, ...result, notices: [...outcome.notices, ...result.notices] };
}
var init_edit2 = __esm({
  "src/pipelines/flux2-klein/edit.ts"() {
    "use strict";
    init_abort();
    init_sizes();
    init_guidance();
    init_noise();
    init_denoise();
    init_given();
    init_modulation();
    init_noise_schedule();
    init_packing();
    init_result();
    init_rotary2();
    init_conditioning2();
    init_guidance2();
    init_positions();
    init_time_shift();
  }
});

// src/pipelines/flux2-klein/lora-targets.ts
function createFindTarget2(config) {
  const targets = layoutTargets(originalFlux2Layout(config), { areHalvesSwapped: false });
  return (module) => targets.get(comparable(withoutPrefix2(module).replace(CUT_NAME, "transformer_blocks.")));
}
var CUT_NAME;
var init_lora_targets2 = __esm({
  "src/pipelines/flux2-klein/lora-targets.ts"() {
    "use strict";
    init_layout_targets();
    init_original_flux2();
    CUT_NAME = /^sformer_blocks\./;
  }
});

// src/pipelines/flux2-klein/prompt.ts
var PromptEncoder2;
var init_prompt2 = __esm({
  "src/pipelines/flux2-klein/prompt.ts"() {
    "use strict";
    init_errors();
    init_qwen3();
    init_remembered();
    PromptEncoder2 = class {
      #checkpoint;
      #components;
      #remembered = new Remembered(
        REMEMBERED_PROMPT_BYTES,
        ({ promptEmbeds }) => promptEmbeds.data.byteLength
      );
      constructor(checkpoint, components) {
        this.#checkpoint = checkpoint;
        this.#components = components;
      }
      /** @param length tokens that are read @default the most */
      encode(text3, length2 = this.#checkpoint.configs.textLength) {
        return this.#remembered.get(JSON.stringify([text3, length2]), () => this.#encode(text3, length2));
      }
      async #encode(text3, length2) {
        const { tokenizer, configs } = this.#checkpoint;
        const { ids, numTokens, isCut } = tokenizer.encode(text3, length2);
        const unknown = ids.find((id) => id >= configs.qwen3.vocabularySize);
        if (unknown !== void 0) {
          throw new RetouchError(
            "CHECKPOINT_INVALID",
            `The tokenizer file ${tokenizer.file} gives the id ${unknown}, and its network knows ${configs.qwen3.vocabularySize}.`
          );
        }
        const { promptEmbeds } = await this.#components.run("qwen3", qwen3Inputs(configs.qwen3, ids, numTokens));
        return { promptEmbeds, tokenIds: ids, isCut };
      }
    };
  }
});

// src/pipelines/flux2-klein/networks.ts
import { createHash as createHash2 } from "node:crypto";
function rotaryInputs3({ cos: cos2, sin: sin2 }, { headSize }) {
  const shape = [1, cos2.length / (headSize / 2), headSize / 2];
  return { rotaryCos: { data: cos2, shape }, rotarySin: { data: sin2, shape } };
}
var Networks2, vector;
var init_networks2 = __esm({
  "src/pipelines/flux2-klein/networks.ts"() {
    "use strict";
    init_preview();
    init_flux2_autoencoder_config();
    init_flux2_modulation();
    init_latent_space();
    init_packing();
    init_remembered();
    init_components4();
    init_prompt2();
    Networks2 = class {
      configs;
      autoencoder;
      schedule;
      native;
      #components;
      #prompts;
      #encoded = new Remembered(
        REMEMBERED_REFERENCE_BYTES,
        ({ byteLength }) => byteLength
      );
      #sketcher;
      constructor(checkpoint, components) {
        const { configs, schedule } = checkpoint;
        this.configs = configs;
        this.autoencoder = configs.autoencoder;
        this.schedule = schedule;
        this.native = nativeScale2(configs.autoencoder);
        this.#components = components;
        this.#prompts = new PromptEncoder2(checkpoint, components);
      }
      /**
       * Plans the memory of an edit, before any network runs for it.
       * @throws RetouchError MEMORY_INSUFFICIENT
       */
      prepare(edit) {
        return this.#components.prepare(edit);
      }
      /** @param length tokens that are read of it @default the most */
      encodePrompt(text3, length2) {
        return this.#prompts.encode(text3, length2);
      }
      latentSize(canvas) {
        const { scaleFactor } = this.autoencoder;
        return { width: canvas.width / scaleFactor, height: canvas.height / scaleFactor };
      }
      /** The mode of the latent distribution of pixels [3, height, width]: [C, h, w], normalised; remembered. */
      encodePixels(pixels, size) {
        const { tileSide } = this.#components;
        const { buffer, byteOffset, byteLength } = pixels;
        const hash = createHash2("sha256").update(JSON.stringify([size, tileSide]));
        const key = hash.update(new Uint8Array(buffer, byteOffset, byteLength)).digest("base64");
        return this.#encoded.get(key, () => this.#encodePixels(pixels, size));
      }
      async #encodePixels(pixels, { width, height }) {
        const { latentChannels } = this.autoencoder;
        const half = { to: "cells", cellSide: this.native.grid, patch: PATCH_SIDE };
        const whole = { data: pixels, channels: 3, width, height };
        const patches = await byTiles(this.#components, half, whole, async (tile) => {
          const { latents } = await this.#components.run("encoder", { pixels: tensorOf(tile) });
          return planesOf(latents, PATCH_SIDE ** 2 * latentChannels);
        });
        const tokens = planesToTokens(patches.data, patches.channels);
        return unpackLatents(tokens, latentChannels, this.latentSize({ width, height }));
      }
      /** The pixels [3, height, width], about -1 to 1, of a normalised latent grid [C, h, w]. */
      async decodeLatents(grid, { width, height }) {
        const { latentChannels } = this.autoencoder;
        const channels = PATCH_SIDE ** 2 * latentChannels;
        const tokens = packLatents(grid, latentChannels, { width, height });
        const whole = {
          data: tokensToPlanes(tokens, channels),
          channels,
          width: width / PATCH_SIDE,
          height: height / PATCH_SIDE
        };
        const half = { to: "pixels", cellSide: this.native.grid };
        const decoded = await byTiles(this.#components, half, whole, async (tile) => {
          const { pixels } = await this.#components.run("decoder", { latents: tensorOf(tile) });
          return planesOf(pixels, 3);
        });
        return decoded.data;
      }
      sketcher() {
        this.#sketcher ??= fitSketcher(this);
        return this.#sketcher;
      }
      /** The modulation of the transformer's blocks at noise levels, as the scheduler tells them. */
      async modulations(timesteps, adapters) {
        const sigmas = { data: timesteps, shape: [timesteps.length] };
        const { modulation } = await this.#components.run("modulation", { sigmas }, adapters);
        const size = flux2ModulationSize(this.configs.transformer);
        const rows2 = modulation.data;
        return Array.from(timesteps, (_, step) => rows2.subarray(step * size, (step + 1) * size));
      }
      /** The keys and values of the references' packed tokens [L, C], by the names of the transformer's inputs. */
      referenceKeys(latents, rotary, { modulation, adapters }) {
        const inputs = {
          referenceLatents: this.tokens(latents),
          modulation: vector(modulation),
          ...rotaryInputs3(rotary, this.configs.transformer)
        };
        return this.#components.run("references", inputs, adapters);
      }
      /** Packed latents as a tensor [L, C]. */
      tokens(latents) {
        const { inChannels } = this.configs.transformer;
        return { data: latents, shape: [latents.length / inChannels, inChannels] };
      }
      /** The velocity of the target's tokens, [L, C]. */
      async velocity(inputs) {
        const { latents, references, prompt, rotary, modulation, adapters } = inputs;
        const tensors = {
          latents: this.tokens(latents),
          ...references,
          promptEmbeds: prompt.promptEmbeds,
          modulation: vector(modulation),
          ...rotaryInputs3(rotary, this.configs.transformer)
        };
        const { velocity } = await this.#components.run("transformer", tensors, adapters);
        return velocity.data;
      }
      /** Releases every network, once the running one has finished. */
      dispose() {
        return this.#components.dispose();
      }
    };
    vector = (data) => ({ data, shape: [data.length] });
  }
});

// src/pipelines/flux2-klein/model.ts
var model_exports2 = {};
__export(model_exports2, {
  loadNetworks: () => loadNetworks2,
  openKlein: () => openKlein
});
async function loadNetworks2(checkpoint, form, runtime, options) {
  const read = await readKlein(checkpoint, form);
  return new Networks2(read, await Components.load(modelOf3(read), runtime, options));
}
function modelOf3(read) {
  return {
    ...planKlein(read.configs),
    stored: read.stored,
    findLoraTarget: createFindTarget2(read.configs.transformer),
    createEditor(components) {
      const networks2 = new Networks2(read, components);
      return { edit: (images, request, options) => editImages(networks2, images, request, options) };
    }
  };
}
var openKlein;
var init_model2 = __esm({
  "src/pipelines/flux2-klein/model.ts"() {
    "use strict";
    init_components();
    init_checkpoint2();
    init_components4();
    init_edit2();
    init_lora_targets2();
    init_networks2();
    openKlein = async (checkpoint, form) => modelOf3(await readKlein(checkpoint, form));
  }
});

// src/runtime/device-process.ts
init_errors();
init_process_environment();
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";

// src/runtime/failure-reason.ts
import path2 from "node:path";
var MAX_REASON_CHARACTERS = 300;
var REMEDIES = [
  [/^libcuda\.so/, "it is part of the driver of an NVIDIA GPU"],
  [
    /^lib(?:cublas|cublasLt|cudart|curand)\.so/,
    "it is part of CUDA 13, which must be on the library path (docs/devices.md)"
  ],
  [/^libvulkan\.so/, "a Vulkan loader and the GPU's driver for it must be installed"]
];
function reasonIn(output) {
  const library3 = /(?<!\S)(\S+?): cannot open shared object file/.exec(output)?.[1];
  if (library3 !== void 0) {
    const name = path2.basename(library3);
    const remedy = REMEDIES.find(([pattern]) => pattern.test(name))?.[1];
    return `${name} cannot be loaded${remedy === void 0 ? "" : `; ${remedy}`}`;
  }
  const error = /\bError: (.*)/.exec(output)?.[1]?.replace(/^\/\S+:\d+ .* was false\. /, "");
  const reason = (error ?? (output.trim() || "it ends without a word")).trimEnd().replace(/\.$/, "");
  return reason.slice(0, MAX_REASON_CHARACTERS);
}

// src/runtime/device-process.ts
init_session_settings();
var TrialError = class extends Error {
  name = "TrialError";
};
var PROGRAM = `
const { InferenceSession, Tensor } = require(process.argv[1]);
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
process.on("message", (message) => answer(message).then(
  (answered) => process.send(answered),
  (error) => process.send({ error: String(error?.message ?? error) }),
));
async function answer({ kind, model, settings, inputs, timedRuns }) {
  if (kind === "libraries") {
    process.report.excludeNetwork = true;
    return { libraries: process.report.getReport().sharedObjects };
  }
  const feeds = {};
  for (const [name, { type, data, shape }] of Object.entries(inputs)) feeds[name] = new Tensor(type, data, shape);
  const session = await InferenceSession.create(model, settings);
  const timed = async () => {
    const started = performance.now();
    const outputs = await session.run(feeds);
    return { outputs, seconds: (performance.now() - started) / 1000 };
  };
  let { outputs, seconds } = await timed();
  for (let run = 0; run < timedRuns; run += 1) {
    const again = await timed();
    seconds = run === 0 ? again.seconds : Math.min(seconds, again.seconds);
    outputs = again.outputs;
  }
  const numbers = Object.entries(outputs).map(([name, { data }]) => [name, Float32Array.from(data)]);
  await session.release();
  return { outputs: Object.fromEntries(numbers), seconds };
}`;
var TIMEOUT_MS = 6e4;
var MAX_KEPT_CHARACTERS = 2e4;
var NOTHING_EXTERNAL = { threads: 0, weightsFolder: tmpdir() };
var DeviceProcess = class {
  device;
  #installation;
  #options;
  #child;
  #printed = "";
  constructor(device, installation, options = {}) {
    this.device = device;
    this.#installation = installation;
    this.#options = options;
  }
  /**
   * Runs a trial, in a new process if the last one ended. One at a time.
   * @throws TrialError with the reason
   */
  async run({ model: model2, inputs, options = NOTHING_EXTERNAL, timedRuns = 0, isWhole: isWhole2 }) {
    const settings = sessionSettings({ ...options, device: this.device, isWhole: isWhole2 });
    const typed = Object.entries(inputs).map(([name, { data, shape }]) => {
      const type = data instanceof Float32Array ? "float32" : "int64";
      return [name, { type, data, shape }];
    });
    const order = { kind: "run", model: model2, settings, inputs: Object.fromEntries(typed), timedRuns };
    return await this.#ask(order);
  }
  /** The files of the libraries that the process has loaded, the device's driver among them once a trial has run. */
  async libraries() {
    return (await this.#ask({ kind: "libraries" })).libraries;
  }
  /** Ends the process. */
  close() {
    this.#child?.kill("SIGKILL");
    this.#child = void 0;
  }
  #ask(order) {
    const { timeoutMs = TIMEOUT_MS } = this.#options;
    const child = this.#child ??= this.#start();
    this.#printed = "";
    return new Promise((resolve, reject) => {
      const finish = (settle2) => {
        clearTimeout(timer);
        child.removeAllListeners("message").removeAllListeners("close").removeAllListeners("error");
        settle2();
      };
      const fail = (reason, isEnded) => finish(() => {
        if (isEnded) this.close();
        reject(new TrialError(reason));
      });
      const timer = setTimeout(() => fail(`it does not answer within ${timeoutMs / 1e3} s`, true), timeoutMs);
      child.once("message", (answer) => {
        if ("error" in answer && answer.error !== void 0)
          fail(reasonIn(`${this.#printed}
Error: ${answer.error}`), false);
        else finish(() => resolve(answer));
      });
      child.once("error", (error) => fail(messageOf(error), true));
      child.once(
        "close",
        (_, signal) => fail(signal === null ? reasonIn(this.#printed) : `trying it ends with ${signal}`, true)
      );
      child.send(order, (error) => {
        if (error && child.connected) fail(messageOf(error), true);
      });
    });
  }
  #start() {
    const child = spawn(process.execPath, ["--eval", PROGRAM, this.#installation.module], {
      env: childEnvironment(),
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      serialization: "advanced"
    });
    child.stderr?.on("data", (chunk) => {
      this.#printed = (this.#printed + String(chunk)).slice(-MAX_KEPT_CHARACTERS);
    });
    return child;
  }
};

// src/runtime/devices.ts
init_errors();
init_graph();
init_ops();

// src/runtime/device-names.ts
var DEVICE_CHOICES = ["auto", "cpu", "cuda", "webgpu", "coreml", "dml"];

// src/runtime/installation.ts
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path3 from "node:path";
var CUDA_LIBRARIES = ["libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"];
var HOW_TO_ADD_CUDA = "`npm run cuda` adds it, 247 MB from PyPI; CUDA 13 and cuDNN 9 must be there as well (docs/devices.md)";
var PLATFORMS = {
  cpu: { systems: ["linux", "darwin", "win32"], inWords: "everywhere" },
  cuda: { systems: ["linux x64"], inWords: "on Linux on x64" },
  webgpu: { systems: ["linux x64", "darwin", "win32"], inWords: "on Linux on x64, macOS and Windows" },
  coreml: { systems: ["darwin"], inWords: "on macOS" },
  dml: { systems: ["win32"], inWords: "on Windows" }
};
function thisInstallation() {
  const { platform, arch: architecture } = process;
  const module = createRequire(import.meta.url).resolve("onnxruntime-node");
  const libraryFolder = path3.join(path3.dirname(module), "..", "bin", "napi-v6", platform, architecture);
  return { platform, architecture, module, libraryFolder };
}
function missingOf(device, installation) {
  const { platform, architecture, libraryFolder } = installation;
  const { systems, inWords } = PLATFORMS[device];
  if (!systems.includes(platform) && !systems.includes(`${platform} ${architecture}`)) {
    return `onnxruntime-node has it ${inWords} only`;
  }
  const isThere = CUDA_LIBRARIES.every((name) => existsSync(path3.join(libraryFolder, name)));
  return device === "cuda" && !isThere ? `its provider is not installed; ${HOW_TO_ADD_CUDA}` : void 0;
}
var GPU_FILES = /^(?:renderD\d+|nvidia\d+|dxg)$/;
function mayHaveGpu({ platform, root = path3.parse(process.cwd()).root }) {
  if (platform !== "linux") return true;
  const device = path3.join(root, "dev");
  return [device, path3.join(device, "dri")].some((folder2) => namesIn(folder2).some((name) => GPU_FILES.test(name)));
}
function namesIn(folder2) {
  try {
    return readdirSync(folder2);
  } catch {
    return [];
  }
}

// src/runtime/devices.ts
init_dtype();
var HARDWARE = ["cuda", "webgpu", "coreml", "dml"];
function candidatesFor(choice, installation = thisInstallation()) {
  if (!DEVICE_CHOICES.includes(choice)) {
    const accepted = DEVICE_CHOICES.join(", ").replace(/, (?=[^,]*$)/, " or ");
    throw invalid("oneOf", { field: "device", choices: accepted, given: JSON.stringify(choice) });
  }
  if (choice === "cpu") return [];
  if (choice === "auto") {
    const installed = HARDWARE.filter((device) => missingOf(device, installation) === void 0);
    return mayHaveGpu(installation) ? installed : installed.filter((device) => device === "cuda");
  }
  const missing = missingOf(choice, installation);
  if (missing !== void 0) throw unusable(choice, missing);
  return [choice];
}
var unusable = (device, reason) => invalid("device", { field: "device", given: device, reason });
async function openDevice(device, installation = thisInstallation(), options = {}) {
  const process2 = new DeviceProcess(device, installation, options);
  try {
    const x = input("x", "float32", [1, 1, 1, 2]);
    const same = conv2d(x, floats([0, 0, 0, 0, 1, 0, 0, 0, 0], [1, 1, 3, 3]), void 0, {
      padding: [1, 1, 1, 1]
    });
    const model2 = buildModel("probe", { sum: add(same, x) });
    const inputs = { x: { data: Float32Array.of(1, 2), shape: [1, 1, 1, 2] } };
    const { outputs } = await process2.run({ model: model2, inputs });
    const sum = String(outputs["sum"]);
    if (sum !== "2,4") throw new TrialError(`it computes ${sum} for 2,4`);
    return { process: process2, adapter: adapterOf(await process2.libraries()) };
  } catch (error) {
    process2.close();
    if (error instanceof TrialError) return { reason: error.message };
    throw error;
  }
}
var SOFTWARE = /^(?:lib)?vk_swiftshader\.|^libvulkan_lvp\.|^d3d10warp\.dll$/i;
var HARDWARE_DRIVER = /^libvulkan_(?!lvp)\w+\.|^libGLX_nvidia\.|^libcuda\.|^amdvlk|^nv(?:wgf2um|oglv|ldumd)|^(?:ati|amd)dx[cx]?\w*64\.dll$|^amdxc|^igd\w+\.dll$/i;
function adapterOf(libraries) {
  const names = libraries.map((file) => file.slice(Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\")) + 1));
  const hardware = names.find((name) => HARDWARE_DRIVER.test(name));
  if (hardware !== void 0) return { driver: hardware, isSoftware: false };
  const software = names.find((name) => SOFTWARE.test(name));
  return software === void 0 ? void 0 : { driver: software, isSoftware: true };
}

// src/engine/device-trial.ts
init_dtype();
init_graph();

// src/runtime/decibels.ts
var LEAST_DECIBELS = 40;
function decibelsBetween(actual, wanted) {
  if (actual.length !== wanted.length) return -Infinity;
  let [signal, noise] = [0, 0];
  for (let index = 0; index < wanted.length; index += 1) {
    const value = wanted[index];
    signal += value ** 2;
    noise += (actual[index] - value) ** 2;
  }
  if (noise === 0) return Infinity;
  const decibels = 10 * Math.log10(signal / noise);
  return Number.isNaN(decibels) ? -Infinity : decibels;
}
var decibelText = (decibels) => Number.isFinite(decibels) ? `${decibels.toFixed(1)} dB` : `${decibels > 0 ? "" : "-"}\u221E dB`;

// src/runtime/device-forms.ts
init_graph();
init_kernel_forms();
init_ops();
import { tmpdir as tmpdir2 } from "node:os";

// src/runtime/drawn-numbers.ts
var DrawnNumbers = class {
  #state;
  constructor(seed) {
    this.#state = seed;
  }
  /** Normally distributed numbers. */
  normal(shape, deviation = 1) {
    const data = new Float32Array(sizeOf(shape));
    for (let index = 0; index < data.length; index += 2) {
      const radius = deviation * Math.sqrt(-2 * Math.log(1 - this.#next()));
      const angle = 2 * Math.PI * this.#next();
      data[index] = radius * Math.cos(angle);
      if (index + 1 < data.length) data[index + 1] = radius * Math.sin(angle);
    }
    return { data, shape };
  }
  /** Whole numbers from 0 to `below`, exclusive. */
  whole(shape, below) {
    const data = BigInt64Array.from({ length: sizeOf(shape) }, () => BigInt(Math.floor(this.#next() * below)));
    return { data, shape };
  }
  /** Cosines and sines of the same angles. */
  angles(shape) {
    const angles = Float64Array.from({ length: sizeOf(shape) }, () => 2 * Math.PI * this.#next());
    return {
      cos: { data: Float32Array.from(angles, Math.cos), shape },
      sin: { data: Float32Array.from(angles, Math.sin), shape }
    };
  }
  /** From 0 to 1, exclusive: mulberry32, a counter whose bits are mixed. */
  #next() {
    this.#state = this.#state + 1831565813 | 0;
    let mixed4 = Math.imul(this.#state ^ this.#state >>> 15, this.#state | 1);
    mixed4 ^= mixed4 + Math.imul(mixed4 ^ mixed4 >>> 7, mixed4 | 61);
    return ((mixed4 ^ mixed4 >>> 14) >>> 0) / 2 ** 32;
  }
};
var sizeOf = (shape) => shape.reduce((product2, dim) => product2 * dim, 1);

// src/runtime/device-forms.ts
init_forms_of();
init_session();
var ATTENTION_ROWS = [31, 32, 33, 100, 300];
var MOST_ROWS = Math.max(...ATTENTION_ROWS);
var TIMED_ROWS = 1024;
var TIMING_SHARE = 1.1;
var TENSOR_BYTES = [4096, 2048, 1024, 512, 256].map((mebibytes) => mebibytes * 1024 ** 2 - 256);
async function findForms(process2, needs) {
  const hasFloat16 = await computesFloat16(process2);
  const types = needs.types.filter((type) => type !== "float32" && (type !== "float16" || hasFloat16));
  const promised = formsOf(process2.device);
  return {
    ...promised,
    attention: await attentionForm(process2, needs.attentions, ["float32", ...types]),
    maxTensorBytes: await maxTensorBytesOf(process2, needs.tensorBytes, promised),
    hasFloat16
  };
}
async function computesFloat16(process2) {
  const half = (x2) => cast(x2, "float16");
  const x = half(input("x", "float32", [40, 64]));
  const table = half(input("table", "float32", [48, 64]));
  const product2 = toFloat32(gemm(x, gather(table, ints([3, 1, 4, 15, 9, 26]))));
  const numbers = new DrawnNumbers(16);
  const inputs = { x: numbers.normal([40, 64]), table: numbers.normal([48, 64]) };
  return isRight(process2, { product: product2 }, inputs);
}
async function attentionForm(process2, needs, types) {
  for (const need of needs) {
    for (const type of types) {
      const { outputs, inputs } = attentionTrial(need, type);
      if (!await isRight(process2, outputs, inputs, { wanted: attentionTrial(need, "float32").outputs })) {
        return "written";
      }
    }
  }
  for (const need of needs) {
    for (const type of types) if (await isSlower(process2, need, type)) return "written";
  }
  return "fused";
}
function attentionTrial(need, type) {
  const { whole, inputs } = attentionInputs(need, MOST_ROWS);
  const outputs = ATTENTION_ROWS.map((rows2) => {
    const some = (x) => rows2 === MOST_ROWS ? x : firstAlong(x, 1, ints([rows2]), rows2);
    const bias = whole.bias && firstAlong(firstAlong(whole.bias, 2, ints([rows2]), rows2), 3, ints([rows2]), rows2);
    const cut2 = { query: some(whole.query), key: some(whole.key), value: some(whole.value), bias };
    return [`rows${rows2}`, attended(need, cut2, type)];
  });
  return { outputs: Object.fromEntries(outputs), inputs };
}
function attentionInputs({ numHeads, headSize, isBiased }, rows2) {
  const shape = [1, rows2, numHeads * headSize];
  const numbers = new DrawnNumbers(32);
  const inputs = {
    query: numbers.normal(shape),
    key: numbers.normal(shape),
    value: numbers.normal(shape)
  };
  const named = (name) => input(name, "float32", shape);
  const whole = { query: named("query"), key: named("key"), value: named("value") };
  if (!isBiased) return { whole, inputs };
  const biasShape = [1, 1, rows2, rows2];
  return {
    whole: { ...whole, bias: input("bias", "float32", biasShape) },
    inputs: { ...inputs, bias: numbers.normal(biasShape) }
  };
}
function attended({ numHeads }, values, type) {
  const typed = (x) => cast(x, type);
  const { query, key, value, bias } = values;
  const options = { numHeads, ...bias && { bias: typed(bias) } };
  return toFloat32(attention(typed(query), typed(key), typed(value), options));
}
async function isSlower(process2, need, type) {
  const { whole, inputs } = attentionInputs(need, TIMED_ROWS);
  const outputs = { sum: reduceMean(attended(need, whole, type), 1) };
  const secondsIn = async (attention2) => {
    const forms = { ...formsOf(process2.device), hasFloat16: true, attention: attention2 };
    const trial = { model: buildModel("attention", withForms(outputs, forms)), inputs, timedRuns: 2 };
    return (await process2.run(trial)).seconds;
  };
  try {
    const fused = await secondsIn("fused");
    return fused > TIMING_SHARE * await secondsIn("written");
  } catch (error) {
    if (error instanceof TrialError) return false;
    throw error;
  }
}
async function maxTensorBytesOf(process2, wanted, { maxTensorBytes: promised }) {
  if (wanted <= promised) return promised;
  const first = TENSOR_BYTES.findLastIndex((bytes2) => bytes2 >= wanted);
  for (const bytes2 of TENSOR_BYTES.slice(Math.max(0, first))) {
    const length2 = bytes2 / Float32Array.BYTES_PER_ELEMENT;
    const filled = expand(input("x", "float32", [1]), [length2]);
    const outputs = { last: rows(filled, length2 - 1, length2, 1) };
    const model2 = buildModel("tensor", outputs);
    const inputs = { x: { data: Float32Array.of(2.5), shape: [1] } };
    const result = await process2.run({ model: model2, inputs, isWhole: true }).catch(asFailure);
    if (result?.outputs["last"]?.[0] === 2.5) return bytes2;
  }
  return promised;
}
async function isRight(process2, outputs, inputs, { wanted = outputs } = {}) {
  const model2 = buildModel("trial", outputs);
  const result = await process2.run({ model: model2, inputs, isWhole: true }).catch(asFailure);
  if (!result) return false;
  const onCpu2 = await runOnCpu(wanted, inputs);
  return Object.entries(onCpu2).every(
    ([name, { data }]) => decibelsBetween(result.outputs[name] ?? [], data) >= LEAST_DECIBELS
  );
}
async function runOnCpu(outputs, inputs) {
  const options = { name: "trial", weightsFolder: tmpdir2(), threads: 0, isMemoryReturned: true };
  const session = await Session.load(buildModel("trial", outputs), options);
  try {
    return await session.run(inputs);
  } finally {
    await session.dispose();
  }
}
function asFailure(error) {
  if (error instanceof TrialError) return void 0;
  throw error;
}

// src/engine/device-trial.ts
init_load();
init_exact_weights();
var SEED = 22;
async function tryNetworks(process2, networks2, options) {
  const tried = networks2.filter(({ definition }) => definition.trial !== void 0).map(readTrial);
  const wanted = options.computeType === void 0 ? ["float16", "float32"] : [options.computeType];
  const forms = options.forms ?? await findForms(process2, needsOf(tried, wanted, options.usual));
  const types = wanted.filter((type) => type !== "float16" || forms.hasFloat16);
  if (types.length === 0) return { reason: "it does not compute in float16" };
  const references = new References(options.threads);
  const notices = [];
  let reason = "";
  for (const [index, computeType] of types.entries()) {
    try {
      const findings = await compareAll(process2, tried, references, { forms, computeType });
      const timesAsFast = options.isTimed ? await compareTimes(process2, tried, { forms, computeType, threads: options.threads }) : void 0;
      return { forms, computeType, findings, timesAsFast, notices };
    } catch (error) {
      if (!(error instanceof TrialError)) throw error;
      reason = error.message;
      const next = types[index + 1];
      if (next !== void 0) {
        notices.push(`In ${computeType} ${process2.device} cannot be used, so it computes in ${next}: ${reason}.`);
      }
    }
  }
  return { reason };
}
function readTrial({ definition, weights }) {
  const trial = definition.trial;
  const build = (from, options) => (trial.build ?? definition.build.bind(definition))(from.scope(), options);
  const numbers = new DrawnNumbers(SEED);
  const given = trial.inputs?.(numbers) ?? {};
  const drawn = inputsOf(build(weights, {})).map(({ name, shape }) => {
    const sizes = shape.map((dim) => typeof dim === "number" ? dim : trial.dims[dim]);
    return [name, given[name] ?? numbers.normal(sizes)];
  });
  return { definition, weights, trial, build, inputs: Object.fromEntries(drawn) };
}
async function compareAll(process2, tried, references, options) {
  const findings = [];
  for (const one2 of tried) {
    const { part } = one2.trial;
    const { outputs } = await runOnDevice(process2, one2, options);
    const wanted = await references.of(one2);
    const decibels = Math.min(
      ...Object.entries(wanted).map(([name, numbers]) => decibelsBetween(outputs[name] ?? [], numbers))
    );
    if (decibels < LEAST_DECIBELS) {
      throw new TrialError(
        `it computes ${part} ${decibelText(decibels)} from the processor; at least ${LEAST_DECIBELS} dB are needed`
      );
    }
    findings.push({ part, decibels });
  }
  return findings;
}
async function runOnDevice(process2, { weights, build, inputs, trial }, { forms, computeType }, timedRuns = 0) {
  const runtime = { device: process2.device, threads: 0, forms };
  const stored = exactly(weights);
  const { model: model2, options } = modelOf(build(stored, { computeType }), stored, runtime);
  try {
    return await process2.run({ model: model2, options, inputs, timedRuns });
  } catch (error) {
    if (error instanceof TrialError) throw new TrialError(`${trial.part} fails: ${error.message}`);
    throw error;
  }
}
var References = class {
  #threads;
  #known = /* @__PURE__ */ new Map();
  constructor(threads) {
    this.#threads = threads;
  }
  async of(one2) {
    const known = this.#known.get(one2);
    if (known) return known;
    const weights = exactly(one2.weights);
    const session = await loadSession(one2.build(weights, {}), weights, {
      threads: this.#threads,
      isMemoryReturned: true
    });
    try {
      const outputs = Object.entries(await session.run(one2.inputs));
      const numbers = Object.fromEntries(outputs.map(([name, { data }]) => [name, data]));
      this.#known.set(one2, numbers);
      return numbers;
    } finally {
      await session.dispose();
    }
  }
};
async function compareTimes(process2, tried, { threads, ...options }) {
  let [onCpu2, onDevice] = [0, 0];
  for (const one2 of tried.filter(({ trial }) => trial.isTimed)) {
    onDevice += (await runOnDevice(process2, one2, options, TIMED_RUNS)).seconds;
    onCpu2 += await secondsOnCpu(one2, threads);
  }
  return onDevice === 0 ? void 0 : onCpu2 / onDevice;
}
var TIMED_RUNS = 2;
async function secondsOnCpu({ build, weights, inputs }, threads) {
  const session = await loadSession(build(weights, {}), weights, { threads, isMemoryReturned: true });
  try {
    await session.run(inputs);
    let seconds = Infinity;
    for (let run2 = 0; run2 < TIMED_RUNS; run2 += 1) {
      const started = performance.now();
      await session.run(inputs);
      seconds = Math.min(seconds, (performance.now() - started) / 1e3);
    }
    return seconds;
  } finally {
    await session.dispose();
  }
}
function needsOf(tried, types, usual) {
  const attentions = /* @__PURE__ */ new Map();
  let tensorBytes = 0;
  for (const { definition, weights, build } of tried) {
    tensorBytes = Math.max(tensorBytes, definition.workingBytes(usual));
    for (const { opType, inputs, attributes } of operatorsOf(build(weights, {}))) {
      for (const value of inputs) tensorBytes = Math.max(tensorBytes, value ? bytesOf(value) : 0);
      const heads = attributes["num_heads"];
      if (opType !== "MultiHeadAttention" || heads?.kind !== "int") continue;
      const headSize = inputs[0].shape[2] / heads.value;
      const need = { numHeads: heads.value, headSize, isBiased: inputs[5] !== void 0 };
      attentions.set(JSON.stringify(need), need);
    }
  }
  return { attentions: [...attentions.values()], types, tensorBytes };
}
var bytesOf = ({ shape, dtype }) => shape.reduce((product2, dim) => product2 * (typeof dim === "number" ? dim : 0), byteSizeOf(dtype));

// src/engine/choose-device.ts
var TITLES = {
  cpu: "The processor",
  cuda: "CUDA",
  webgpu: "WebGPU",
  coreml: "CoreML",
  dml: "DirectML"
};
var TIMEOUT_MS2 = 6e5;
async function chooseDevice(choice, options) {
  const { installation = thisInstallation() } = options;
  const candidates = candidatesFor(choice, installation);
  if (choice === "auto") {
    return remembering(
      choice,
      options,
      (networks2, usual) => settleAuto(candidates, networks2, usual, options)
    );
  }
  const [device] = candidates;
  if (device === void 0) return async () => onCpu("as asked", options);
  const { process: process2 } = await opened(device, options);
  process2.close();
  return remembering(choice, options, (networks2, usual) => settleNamed(device, networks2, usual, options));
}
var onCpu = (reason, { computeType = "float32" }) => ({ name: "cpu", reason, computeType, notices: [] });
async function opened(device, { installation }) {
  const found = await openDevice(device, installation, { timeoutMs: TIMEOUT_MS2 });
  if ("reason" in found) throw unusable(device, found.reason);
  return found;
}
async function settleNamed(device, networks2, usual, options) {
  const { process: process2, adapter } = await opened(device, options);
  try {
    const found = await tryNetworks(process2, networks2, { ...options, usual, isTimed: false });
    if ("reason" in found) throw unusable(device, found.reason);
    return chosen(device, adapter?.isSoftware ? `as asked; in software, ${adapter.driver}` : "as asked", found);
  } finally {
    process2.close();
  }
}
async function settleAuto(candidates, networks2, usual, options) {
  const broken = [];
  let reason = "no other device is set up";
  for (const device of candidates) {
    const found = await consider(device, networks2, usual, options);
    if ("chosen" in found) return withNotices(found.chosen, broken);
    reason = `${TITLES[device]} ${found.passedOver}`;
    if (found.failure !== void 0) {
      broken.push([`${TITLES[device]} is installed and cannot be used`, found.failure]);
    }
  }
  return withNotices(onCpu(reason, options), broken);
}
async function consider(device, networks2, usual, options) {
  const found = await openDevice(device, options.installation, { timeoutMs: TIMEOUT_MS2 });
  if ("reason" in found) return { passedOver: "cannot be used", failure: found.reason };
  const { process: process2, adapter } = found;
  try {
    if (adapter?.isSoftware) {
      return { passedOver: `is software here, ${adapter.driver}, and used by name only` };
    }
    const passed = await tryNetworks(process2, networks2, { ...options, usual, isTimed: true });
    if ("reason" in passed) return { passedOver: "cannot be used", failure: passed.reason };
    const { timesAsFast = 0 } = passed;
    if (timesAsFast <= 1) return { passedOver: `was measured at ${timesAsFast.toFixed(2)} times its speed` };
    return { chosen: chosen(device, `${timesAsFast.toFixed(1)} times as fast as the processor`, passed) };
  } finally {
    process2.close();
  }
}
function withNotices(device, broken) {
  const instead = device.name === "cpu" ? "the processor computes" : `${TITLES[device.name]} computes`;
  const notices = broken.map(([what, why]) => `${what}, so ${instead}: ${why}.`);
  return { ...device, notices: [...notices, ...device.notices] };
}
var chosen = (name, reason, { computeType, forms, notices }) => ({
  name,
  reason,
  computeType,
  forms,
  notices
});
var settled = /* @__PURE__ */ new Map();
function remembering(choice, options, settle2) {
  return (networks2, usual) => {
    const { computeType, installation, forms } = options;
    const weights = networks2.map(({ definition, weights: set }) => [definition.name, set.signature]);
    const key = JSON.stringify([choice, computeType, installation, forms, usual, weights]);
    const known = settled.get(key);
    if (known) return known;
    const settling = settle2(networks2, usual);
    settled.set(key, settling);
    settling.catch(() => settled.delete(key));
    return settling;
  };
}

// src/pipelines/index.ts
init_errors();

// src/weights/checkpoint.ts
init_errors();
init_config();
init_gguf_file();
init_limits();
init_safetensors();
import { access, readdir, realpath as realpath2, stat as stat2 } from "node:fs/promises";
import path6 from "node:path";

// src/weights/scaled-fp8.ts
init_errors();
init_dtype();
init_graph();
init_network_keys();
init_tensor_file();
var MARKER = "scaled_fp8";
var BESIDE = /^(.+)\.(scale_weight|weight_scale|scale_input|input_scale|comfy_quant)$/;
var SCALE_TYPES = /* @__PURE__ */ new Set(["float32", "float16", "bfloat16"]);
function separateScales(stored, known) {
  const tensors = /* @__PURE__ */ new Map();
  const scales = /* @__PURE__ */ new Map();
  for (const [name, tensor] of stored) {
    if (name.slice(splitKey(name, known).prefix.length) === MARKER) continue;
    const [, layer3, kind] = BESIDE.exec(name) ?? [];
    const weight2 = `${layer3}.weight`;
    if (layer3 === void 0 || !stored.has(weight2)) tensors.set(name, tensor);
    else if (kind.includes("scale") && kind.includes("weight")) {
      scales.set(weight2, [...scales.get(weight2) ?? [], { name, tensor }]);
    }
  }
  return { tensors, scales };
}
function scaleOf({ file, name, shape }, scales) {
  const [scale, second] = scales.get(name) ?? [];
  const invalid3 = (what) => new RetouchError("CHECKPOINT_INVALID", `The weights file ${file} has ${what}.`);
  if (second) throw invalid3(`two factors of ${name}: ${scale.name} and ${second.name}`);
  if (scale && !isFitting(scale, shape)) {
    const { storedType, shape: found } = scale.tensor;
    const wanted = shape.length === 2 ? `one number or ${shape[0]}, one for each row,` : "one number";
    throw invalid3(`${scale.name} as ${storedType} ${showShape(found)} where ${wanted} is wanted`);
  }
  return scale?.tensor;
}
function withScales(stored) {
  const { tensors, scales } = separateScales(stored, []);
  const scaled3 = ([name, tensor]) => {
    const { file, shape } = tensor;
    const scale = scaleOf({ file, name, shape }, scales);
    if (!scale) return [name, tensor];
    return [name, { shape, parts: [tensor], scale: [scaleOfRows(scale, 0, shape[0] ?? 1)] }];
  };
  return new Map([...tensors].map(scaled3));
}
var isFitting = ({ tensor }, shape) => SCALE_TYPES.has(tensor.dtype) && (elements(tensor.shape) === 1 || isOfRows(tensor, shape));
function isOfRows({ shape: [first, ...rest] }, shape) {
  return shape.length === 2 && first === shape[0] && rest.every((dim) => dim === 1);
}
function scaleOfRows(tensor, from, to) {
  if (elements(tensor.shape) === 1) return { ...tensor, shape: [] };
  const size = byteSizeOf(tensor.dtype);
  return {
    ...tensor,
    shape: [to - from, 1],
    byteOffset: tensor.byteOffset + from * size,
    byteLength: (to - from) * size
  };
}

// src/weights/single-file.ts
init_errors();
init_safetensors();
import { realpath } from "node:fs/promises";
init_tensor_file();
init_weight_set();
var SingleFile = class _SingleFile extends TensorFile {
  /** By the key of the weight, as it is in the file. */
  #scales;
  constructor(file, wanted, stored) {
    const { tensors, scales } = separateScales(stored, wanted.known);
    super(file, wanted, tensors, { test: isReadable2, names: READABLE_TYPES });
    this.#scales = scales;
  }
  /**
   * Reads the header of `file`.
   * @param wanted which of the networks in it
   * @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID
   */
  static async open(file, wanted) {
    const real = await realpath(file).catch((cause) => {
      throw new RetouchError("CHECKPOINT_MISSING", `The weights file ${file} does not exist.`, { cause });
    });
    return new _SingleFile(file, wanted, await readSafetensorsHeader(real));
  }
  /**
   * Gives the network its weights under its own keys.
   * @param name what a message calls the network
   * @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED for the first key that is missing, unknown, of
   * another shape or of a type that cannot be read
   */
  arrange(name, layout) {
    const weights = /* @__PURE__ */ new Map();
    for (const { entry: entry2, tensor } of this.tensorsOf(layout)) {
      const { file } = this;
      const scale = scaleOf({ file, name: this.named(entry2.key), shape: entry2.shape }, this.#scales);
      for (const [key, place] of placesOf(entry2, tensor, scale)) weights.set(key, place);
    }
    return new WeightSet(name, weights);
  }
};
function placesOf({ parts, isSwapped = false }, tensor, scale) {
  const bytesPerElement = tensor.byteLength / elements(tensor.shape);
  let { byteOffset } = tensor;
  let row = 0;
  return parts.map(({ key, shape }) => {
    const byteLength = elements(shape) * bytesPerElement;
    const range = { ...tensor, shape, byteOffset, byteLength };
    const end = row + (shape[0] ?? 1);
    const scales = scale && scaleOfRows(scale, row, end);
    byteOffset += byteLength;
    row = end;
    if (!isSwapped && !scales) return [key, range];
    const ordered = (one2) => isSwapped && one2.shape.length > 0 ? halves(one2).toReversed() : [one2];
    return [key, { shape, parts: ordered(range), scale: scales && ordered(scales) }];
  });
}
function halves(tensor) {
  const [rows2, ...rest] = tensor.shape;
  const byteLength = tensor.byteLength / 2;
  const first = { ...tensor, shape: [rows2 / 2, ...rest], byteLength };
  return [first, { ...first, byteOffset: tensor.byteOffset + byteLength }];
}

// src/weights/weight-files.ts
init_errors();
init_config();
var STEMS = {
  diffusers: "diffusion_pytorch_model",
  transformers: "model"
};
var usualName = (library3) => `${STEMS[library3]}.safetensors`;
var SHARD = /-\d{5}-of-\d{5}$/;
var PICKLE = /\.(?:bin|ckpt|pt|pth)$/i;
var APPLE_DOUBLE = /^\._/;
function chooseWeightFile(folder2, files, libraries) {
  const names = files.filter((name) => !APPLE_DOUBLE.test(name));
  for (const library3 of libraries) {
    const chosen2 = plainFile(names, library3) ?? variantFile(folder2, names, library3);
    if (chosen2) return chosen2;
  }
  const pickle = names.find((name) => PICKLE.test(name));
  if (pickle !== void 0) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `The folder ${folder2} has its weights in ${shownValue(pickle)} only, a Python pickle, which could run any code; its class's from_pretrained("${folder2}").save_pretrained("${folder2}") writes ${usualName(libraries[0])}.`
    );
  }
  const wanted = anyOf(libraries.map(usualName));
  throw new RetouchError("CHECKPOINT_MISSING", `The folder ${folder2} has no ${wanted}.`);
}
function plainFile(names, library3) {
  const single = usualName(library3);
  const both = [
    { name: `${single}.index.json`, isIndex: true },
    { name: single, isIndex: false }
  ];
  const inOrder = library3 === "diffusers" ? both : both.toReversed();
  const found = inOrder.find(({ name }) => names.includes(name));
  if (found) return found;
  for (const { name, isIndex } of inOrder) {
    const other = names.find((each) => each.toLowerCase() === name);
    if (other !== void 0) return { name: other, isIndex };
  }
  return void 0;
}
function between2(name, start, end) {
  const lower = name.toLowerCase();
  if (!lower.startsWith(start) || !lower.endsWith(end)) return void 0;
  const part = name.slice(start.length, -end.length);
  return part === "" || part.includes(".") ? void 0 : part;
}
function variantFile(folder2, names, library3) {
  const stem = STEMS[library3];
  const found = names.flatMap((name) => {
    const single = between2(name, `${stem}.`, ".safetensors");
    const variant = single ?? between2(name, `${stem}.safetensors.index.`, ".json");
    if (variant === void 0 || SHARD.test(variant)) return [];
    return [{ name, isIndex: single === void 0, variant }];
  });
  const variants = [...new Set(found.map(({ variant }) => variant))];
  if (variants.length > 1) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `The folder ${folder2} has weights of the variants ${shownValue(variants.toSorted().join(", "))} and none without; rename those to be used to ${usualName(library3)}.`
    );
  }
  const wanted = library3 === "diffusers";
  return found.find(({ isIndex }) => isIndex === wanted) ?? found[0];
}

// src/weights/checkpoint.ts
init_weight_set();
var LIBRARIES = ["diffusers", "transformers"];
var GGUF = /\.gguf$/i;
var NO_FILE_NAMES = /* @__PURE__ */ new Set(["", ".", ".."]);
var SNAPSHOT = /[/\\]models--([^/\\]+)[/\\]snapshots[/\\][^/\\]+$/;
function checkpointName(folder2) {
  const whole = path6.resolve(folder2);
  return SNAPSHOT.exec(whole)?.[1]?.split("--").at(-1) || path6.basename(whole);
}
var Checkpoint = class _Checkpoint {
  folder;
  /** The class name of its pipeline. */
  className;
  /** `model_index.json`. */
  index;
  #singleFiles;
  #notices = /* @__PURE__ */ new Set();
  constructor(folder2, index, singleFiles) {
    this.folder = folder2;
    this.className = index.string("_class_name");
    this.index = index;
    this.#singleFiles = singleFiles;
  }
  /** @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID, naming the folder or its index */
  static async open(folder2, singleFiles = {}) {
    const found = await stat2(folder2).catch(() => void 0);
    if (!found?.isDirectory()) {
      throw new RetouchError("CHECKPOINT_MISSING", `The checkpoint folder ${folder2} does not exist.`);
    }
    const whole = path6.resolve(folder2);
    const index = await Config.read(path6.join(whole, "model_index.json"));
    return new _Checkpoint(whole, index, singleFiles);
  }
  /** What the user should know about the files that were read, as sentences. */
  get notices() {
    return [...this.#notices];
  }
  /** Adds to the notices what they do not yet say. */
  note(sentence) {
    this.#notices.add(sentence);
  }
  /** A JSON file of the folder, such as `transformer/config.json`. */
  config(file) {
    return Config.read(path6.join(this.folder, file));
  }
  async has(file) {
    return access(path6.join(this.folder, file)).then(
      () => true,
      () => false
    );
  }
  /**
   * The file used instead of a network's folder: the one that is given for it, or else one that is given for another
   * network and holds this one too. Undefined if the folder is used.
   * @param own the option that stands for this network, if there is one
   * @param beside the option whose file takes precedence over the folder if it holds this network, too; all others
   * stand in only for a folder without weights
   */
  async singleFile(wanted, { own, beside }) {
    const given = this.#singleFiles;
    const file = own && given[own];
    if (file !== void 0) return openFile(file, wanted);
    const isNeeded = !await this.#hasWeights(wanted.network.folder);
    const others = isNeeded ? Object.values(given) : [beside && given[beside]];
    for (const other of new Set(others)) {
      const opened2 = other === void 0 ? void 0 : await openFile(other, wanted);
      if (opened2?.isHeld) return opened2;
    }
    return void 0;
  }
  async #hasWeights(component) {
    return this.weights(component).then(
      () => true,
      (error) => !(error instanceof RetouchError && error.code === "CHECKPOINT_MISSING")
    );
  }
  /**
   * Makes sure that a component is of the class that it is read as: another one computes something else from files that
   * may look the same. An index may leave a component out.
   * @throws RetouchError CHECKPOINT_UNSUPPORTED, naming the index and the class
   */
  assertClass(component, wanted) {
    const [, className] = this.#entryOf(component);
    if (className === void 0 || className === null || className === wanted) return;
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${this.index.file}, ${component} is a ${shownValue(className)}; a ${wanted} is wanted.`
    );
  }
  /** The library and the class of a component, as the index has them. */
  #entryOf(component) {
    const entry2 = this.index.get(component);
    if (entry2 === void 0) return [];
    if (!Array.isArray(entry2)) throw this.index.invalid(component, "a list of a library and a class");
    return entry2;
  }
  /** The weights of a component's folder, in one file or in shards that an index lists. */
  async weights(component) {
    const folder2 = path6.join(this.folder, component);
    const [library3] = this.#entryOf(component);
    const libraries = LIBRARIES.filter((each) => each === library3);
    const files = await readdir(folder2).catch(() => []);
    const chosen2 = await this.#namedFile(component, library3) ?? chooseWeightFile(folder2, files, libraries.length === 0 ? LIBRARIES : libraries);
    const file = path6.join(component, chosen2.name);
    if (chosen2.variant !== void 0) {
      this.note(`${component}: the weights are those of the variant ${shownValue(chosen2.variant)}.`);
    }
    if (chosen2.isIndex) return this.#shardedWeights(component, file);
    return new WeightSet(component, withScales(await readSafetensorsHeader(await this.#realFile(file))));
  }
  /** The file that a configuration of transformers names, whatever else is there. */
  async #namedFile(component, library3) {
    const configFile = path6.join(component, "config.json");
    if (library3 !== "transformers" || !await this.has(configFile)) return void 0;
    const config = await this.config(configFile);
    const name = config.get("transformers_weights");
    if (name === void 0) return void 0;
    const isIndex = typeof name === "string" && name.endsWith(".safetensors.index.json");
    if (typeof name === "string" && isFileName(name) && (isIndex || name.endsWith(".safetensors"))) {
      return { name, isIndex };
    }
    throw config.invalid("transformers_weights", "the name of a .safetensors file or of an index beside it");
  }
  async #shardedWeights(component, indexFile) {
    const index = await this.config(indexFile);
    const shardOf = weightMapOf(index);
    const tensors = /* @__PURE__ */ new Map();
    for (const shard of [...new Set(shardOf.values())].toSorted()) {
      if (typeof shard !== "string" || !isFileName(shard)) {
        throw new RetouchError(
          "CHECKPOINT_INVALID",
          `In ${index.file}, ${shownValue(shard)} is no file name.`
        );
      }
      for (const [key, tensor] of await readSafetensorsHeader(
        await this.#realFile(path6.join(component, shard))
      )) {
        tensors.set(key, tensor);
      }
    }
    if (tensors.size === 0) {
      throw new RetouchError("CHECKPOINT_INVALID", `${index.file} lists no weights.`);
    }
    return new WeightSet(component, withScales(tensors));
  }
  /** Follows links, which hub caches contain: the runtime accepts data below one real folder only. */
  async #realFile(file) {
    const full = path6.join(this.folder, file);
    return realpath2(full).catch((cause) => {
      throw new RetouchError("CHECKPOINT_MISSING", `The weights file ${full} does not exist.`, { cause });
    });
  }
};
var openFile = (file, wanted) => GGUF.test(file) ? GgufFile.open(file, wanted) : SingleFile.open(file, wanted);
var isFileName = (name) => path6.basename(name) === name && !NO_FILE_NAMES.has(name);
function weightMapOf(index) {
  const field = index.get("weight_map") ?? {};
  if (typeof field !== "object" || Array.isArray(field)) {
    throw index.invalid("weight_map", "an object of file names");
  }
  const shardOf = new Map(Object.entries(field));
  const numShards = new Set(shardOf.values()).size;
  const isTooLong = [...shardOf.keys()].some((key) => key.length > MAX_KEY_CHARACTERS);
  if (shardOf.size > MAX_TENSORS || numShards > MAX_SHARDS || isTooLong) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${index.file}, weight_map must list at most ${MAX_TENSORS} weights, with names of at most ${MAX_KEY_CHARACTERS} characters, in at most ${MAX_SHARDS} files.`
    );
  }
  return shardOf;
}

// src/pipelines/flux1-kontext/pipeline.ts
init_errors();
init_request();
var flux1Kontext = {
  className: "FluxKontextPipeline",
  weightFolders: ["transformer", "vae", "text_encoder", "text_encoder_2"],
  minImages: 1,
  maxImages: 1,
  takesMask: false,
  defaultsOf: () => USUAL_DEFAULTS,
  takesTensors: true,
  // Loaded late: a server asks what the family takes, and opens no checkpoint.
  async components(checkpoint, { referenceCache } = {}) {
    if (referenceCache !== void 0) {
      throw invalid("unsupported", {
        field: "referenceCache",
        reason: "the model of this checkpoint sees its image in every step"
      });
    }
    return (await Promise.resolve().then(() => (init_model(), model_exports))).openKontext(checkpoint);
  }
};

// src/pipelines/flux2-klein/pipeline.ts
init_checkpoint2();
var MAX_IMAGES = 4;
var UNDISTILLED = { numSteps: 50, guidance: 4 };
var DISTILLED = { numSteps: 4, guidance: 1 };
var flux2Klein = pipelineOf("Flux2KleinPipeline", { areReferencesKept: false });
var flux2KleinKV = pipelineOf("Flux2KleinKVPipeline", { areReferencesKept: true });
function pipelineOf(className, form) {
  return {
    className,
    weightFolders: ["transformer", "vae", "text_encoder"],
    minImages: 0,
    maxImages: MAX_IMAGES,
    takesMask: false,
    defaultsOf: (index) => isDistilled(index, form) ? DISTILLED : UNDISTILLED,
    takesTensors: true,
    isPooled: false,
    // Loaded late: a server asks what the family takes, and opens no checkpoint.
    async components(checkpoint, { referenceCache } = {}) {
      const isApproximate = referenceCache === "approximate" && !form.areReferencesKept;
      const chosen2 = isApproximate ? { areReferencesKept: true, isApproximate } : form;
      return (await Promise.resolve().then(() => (init_model2(), model_exports2))).openKlein(checkpoint, chosen2);
    }
  };
}

// src/pipelines/index.ts
var PIPELINES = [flux1Kontext, flux2Klein, flux2KleinKV];
async function openModel(folder2, files = {}, pipelines = PIPELINES, options = {}) {
  const { checkpoint, pipeline } = await openCheckpoint(folder2, files, pipelines);
  return { checkpoint, pipeline, model: await pipeline.components(checkpoint, options) };
}
async function openCheckpoint(folder2, files = {}, pipelines = PIPELINES) {
  const checkpoint = await Checkpoint.open(folder2, files);
  const pipeline = pipelines.find(({ className }) => className === checkpoint.className);
  if (pipeline === void 0) {
    const wanted = anyOf(pipelines.map(({ className }) => `a ${className}`));
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `The checkpoint ${folder2} is a ${checkpoint.className}; ${wanted} is wanted.`
    );
  }
  return { checkpoint, pipeline, name: checkpointName(checkpoint.folder) };
}

// ../../tmp/check/prof.ts
init_extent();
var run = DeviceProcess.prototype.run;
var t00 = performance.now();
DeviceProcess.prototype.run = async function(t) {
  const t02 = performance.now();
  let r;
  try {
    r = await run.call(this, t);
    return r;
  } catch (e) {
    console.log("   ERR", String(e).slice(0, 150));
    throw e;
  } finally {
    console.log(((t02 - t00) / 1e3).toFixed(2), t.model.length, Object.keys(t.inputs).join(), "took", ((performance.now() - t02) / 1e3).toFixed(2), "run", r?.seconds?.toFixed(2));
  }
};
var folder = process.argv[2] ?? "/work/h-check/checkpoints/tiny";
var { model } = await openModel(folder);
var networks = model.components.map((d) => ({ definition: d, weights: model.stored[d.weights] }));
var t0 = performance.now();
try {
  const d = await (await chooseDevice("webgpu", { threads: 1 }))(networks, usualEdit(model.native, model.usual));
  console.log(JSON.stringify(d));
} catch (e) {
  console.log(String(e));
}
console.log("all", ((performance.now() - t0) / 1e3).toFixed(2));
process.exit(0);
