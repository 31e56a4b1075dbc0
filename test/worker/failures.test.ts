import { describe, expect, it } from "vitest";
import { failure, RetouchError } from "../../src/errors.ts";
import { failureOf } from "../../src/worker/failures.ts";

describe("failureOf", () => {
  it.each(["IMAGE_INVALID", "IMAGE_TOO_LARGE", "OUTPUT_FLAGGED", "INVALID_PARAMETER"] as const)(
    "tells the sender what %s is about, and the log nothing",
    (code) => {
      const error = new RetouchError(code, failure("imageEmpty", {}));
      expect(failureOf(error)).toEqual({
        error: "image is empty (0 bytes).",
        failure: { code, kind: "imageEmpty", values: {} },
      });
    },
  );

  it("names the request's fields, and the image by its URL as well where it has one", () => {
    const range = { field: "numSteps", wanted: "a whole number", min: 1, max: 50, given: 0 };
    expect(failureOf(new RetouchError("INVALID_PARAMETER", failure("range", range)))).toEqual({
      error: "num_inference_steps must be a whole number from 1 to 50, not 0.",
      failure: { code: "INVALID_PARAMETER", kind: "range", values: range },
    });
    const values = { source: "http://h/a.png", reason: "there is no such host" };
    expect(failureOf(new RetouchError("IMAGE_UNREADABLE", failure("imageDownload", values))).error).toBe(
      "image: http://h/a.png cannot be downloaded: there is no such host.",
    );
  });

  it("tells sender and log when the sender's own bucket fails", () => {
    const cause = new Error("connect ECONNREFUSED 10.0.0.1:9000");
    const { error, detail } = failureOf(
      new RetouchError("BUCKET_UNAVAILABLE", "s3Config: no answer.", { cause }),
    );
    expect(error).toBe("s3Config: no answer.");
    expect(detail).toContain("connect ECONNREFUSED 10.0.0.1:9000");
  });

  it("tells sender and log when memory is short", () => {
    const { error, detail } = failureOf(new RetouchError("MEMORY_INSUFFICIENT", "12 GB are wanted."));
    expect(error).toBe("12 GB are wanted.");
    expect(detail).toContain("12 GB are wanted.");
  });

  it.each([
    ["LORA_INVALID", "loras: the file of the LoRA ink is missing or damaged, or does not fit the network."],
    ["LORA_UNSUPPORTED", "loras: the file of the LoRA ink is of a kind that cannot be used."],
  ] as const)("names the LoRA of %s to the sender, and its file to the log alone", (code, sentence) => {
    const about = "The LoRA file /srv/loras/ink.safetensors cannot be opened.";
    const values = { what: "LoRA file", file: "/srv/loras/ink.safetensors", fault: "cannot be opened" };
    const failed = new RetouchError(code, { kind: "file", values: { ...values, lora: "ink" } });
    const { error, failure: data, detail } = failureOf(failed);
    expect(error).toBe(sentence);
    expect(data).toMatchObject({ code, values: { field: "loras", name: "ink" } });
    expect(JSON.stringify(data)).not.toContain("/srv");
    expect(detail).toContain(about);
  });

  it.each([
    ["a defect", new TypeError("x is not a function")],
    ["a failure of the runtime", new RetouchError("RUNTIME_FAILED", "x is not a function: /home/me/model")],
    ["a failure of the checkpoint", new RetouchError("CHECKPOINT_MISSING", "x is not a function")],
    ["a text", "x is not a function"],
  ])("tells the sender nothing of %s, and the log all of it", (_, error) => {
    const failed = failureOf(error);
    expect(failed.error).toBe("The edit failed unexpectedly.");
    expect(failed.failure).toBeUndefined();
    expect(failed.detail).toContain("x is not a function");
  });

  it("leaves out of the log what an error carries besides its stack", () => {
    const error = Object.assign(new Error("refused"), { request: { headers: "secret-key" } });
    expect(failureOf(error).detail).not.toContain("secret-key");
  });

  it("ends with an error that is its own cause", () => {
    const error = new Error("round");
    error.cause = error;
    expect(failureOf(error).detail?.split("caused by")).toHaveLength(5);
  });
});
