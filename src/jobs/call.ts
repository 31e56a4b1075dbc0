/** By which other provider's API a job was submitted, with what its answers and webhooks repeat of the call. */
export type JobCall =
  | {
      api: "bfl";
      prompt: string;
      /** Signs the webhook. Secret: never logged, never shown. */
      webhookSecret?: string | undefined;
    }
  | {
      api: "replicate";
      /** OWNER/NAME, as it was called. */
      model: string;
      /** The id of the endpoint. */
      version: string;
      /** Without pictures that came in the call itself. */
      input: Readonly<Record<string, unknown>>;
    };
