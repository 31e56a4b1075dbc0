/** A command that did a part of its work; its message is the sentence for the user. */
export class PartialFailure extends Error {}
