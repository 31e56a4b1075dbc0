/** What the document shows as an example of an operation. */

/** What is filled in where the document is made. */
export interface ExampleContext {
  /** Where clients reach the server, without a trailing slash. */
  server: string;
  endpointId: string;
}

export interface OperationExamples {
  /** JSON bodies. */
  body?: object;
  /** Fields of a form; files are left to the caller. */
  form?: object;
  /** Of parameters, by name. */
  parameters?: Readonly<Record<string, string>>;
  /** The successful answer: JSON, or text. */
  answer?: object | string;
  /** The same as server-sent events. */
  events?: string;
}
