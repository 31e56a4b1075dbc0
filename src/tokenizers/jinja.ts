/**
 * Evaluates a Jinja template as the reference's Jinja does, or refuses it. The JavaScript library parses it and runs its
 * statements. In expressions the two languages differ: the library's `rstrip('\n')` also strips spaces, its texts have
 * UTF-16 lengths, it prints `true`. So only those operations are let through on which both agree, or that are done here;
 * a template that needs another one is refused by its name. Steps and sizes have limits, because a template is a
 * program from someone else.
 */
import * as library from "@huggingface/jinja";
import { isSame, length, printed, strip, type TemplateValue } from "./jinja-values.ts";

/** A node of any kind; which fields it has follows from its type. */
interface Node {
  readonly type: string;
  readonly [field: string]: unknown;
}

interface Scope {
  /** Declares a variable and returns its value. */
  set(name: string, value: unknown): TemplateValue;
}

interface PlainInterpreter {
  run(program: Node): TemplateValue;
  evaluate(node: Node | undefined, scope: Scope): TemplateValue;
}

/** The library exports all of these, and its types lose what they are. */
const { Environment, Interpreter, parse, tokenize } = library as unknown as {
  Environment: new () => Scope;
  Interpreter: new (scope: Scope) => PlainInterpreter;
  parse(tokens: unknown): Node;
  tokenize(template: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }): unknown;
};

/** Evaluations of a node; a published template takes about 300 for one message. */
const MAX_STEPS = 20_000;
/** Characters or entries of a value. */
const MAX_SIZE = 100_000;
/** The sum over all values. */
const MAX_TOTAL_SIZE = 4_000_000;

/** Statements of a block; whatever else stands in a block is printed. */
const STATEMENTS = new Set(["If", "For", "Set", "Macro", "Break", "Continue", "Comment"]);
/** What the library evaluates as the reference does. */
// prettier-ignore
const PLAIN = new Set([
  "Program", "If", "Set", "Macro", "Break", "Continue", "Comment", "Ternary", "SelectExpression", "StringLiteral",
  "IntegerLiteral", "ArrayLiteral", "TupleLiteral", "ObjectLiteral", "SliceExpression", "Identifier",
]);
/** With one number for each truth value that the two languages see alike. */
const TESTS = new Set(["defined", "undefined", "none", "string", "mapping", "sequence", "true", "false"]);
const SIGNS: Readonly<Record<string, "start" | "end" | "both">> = {
  lstrip: "start",
  rstrip: "end",
  strip: "both",
};

/** @throws Error saying what cannot be evaluated */
export function renderTemplate(template: string, variables: Readonly<Record<string, unknown>>): string {
  const program = parse(tokenize(template, { lstrip_blocks: true, trim_blocks: true }));
  wrapPrinted(program);
  const scope = new Environment();
  const constants = { true: true, false: false, none: null, True: true, False: false, None: null };
  const functions = {
    raise_exception(message: unknown): never {
      throw new Error(`it fails with ${JSON.stringify(String(message))}`);
    },
  };
  for (const [name, value] of Object.entries({ ...constants, ...functions, ...variables })) {
    scope.set(name, value);
  }
  return String(new CheckedInterpreter(scope).run(program).value);
}

class CheckedInterpreter extends Interpreter {
  #steps = 0;
  #totalSize = 0;

  override evaluate(node: Node | undefined, scope: Scope): TemplateValue {
    this.#steps += 1;
    if (this.#steps > MAX_STEPS) throw new Error(`it takes more than ${MAX_STEPS} steps`);
    const value = node ? this.#evaluate(node, scope) : super.evaluate(node, scope);
    const content = value.value;
    const size = typeof content === "string" || Array.isArray(content) ? content.length : 0;
    this.#totalSize += size;
    if (size > MAX_SIZE || this.#totalSize > MAX_TOTAL_SIZE) throw new Error("its values are too large");
    return value;
  }

  #evaluate(node: Node, scope: Scope): TemplateValue {
    const { type } = node;
    if (PLAIN.has(type)) return super.evaluate(node, scope);
    switch (type) {
      case "Evaluated":
        return node["value"] as TemplateValue;
      case "Output":
        return toRuntime(printed(this.#child(node, "expression", scope)));
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

  #child(node: Node, name: string, scope: Scope): TemplateValue {
    return this.evaluate(node[name] as Node, scope);
  }

  /** In the reference, what a round sets is gone in the next one; the library keeps it. */
  #loop(node: Node, scope: Scope): TemplateValue {
    const isSelected = (node["iterable"] as Node).type === "SelectExpression";
    const iterable = isSelected ? undefined : this.#child(node, "iterable", scope);
    const isOneRound = iterable?.type === "ArrayValue" && (iterable.value as unknown[]).length <= 1;
    if (!isOneRound && setsVariable(node["body"] as Node[])) throw new Error("it sets a variable in a loop");
    return super.evaluate(iterable ? replaced(node, { iterable }) : node, scope);
  }

  #member(node: Node, scope: Scope): TemplateValue {
    const object = this.#child(node, "object", scope);
    const isSlice = (node["property"] as Node).type === "SliceExpression";
    const value = super.evaluate(replaced(node, { object }), scope);
    // A text has a length in the library, and characters of it are not those of the reference.
    const isOwn = (object.type === "StringValue" && !isSlice) || value.type === "FunctionValue";
    if (isOwn) throw new Error(`it uses ${nameOf(node["property"] as Node)} of a value`);
    return value;
  }

  #call(node: Node, scope: Scope): TemplateValue {
    const callee = node["callee"] as Node;
    if (callee.type === "Identifier") {
      if (super.evaluate(callee, scope).type === "FunctionValue") return super.evaluate(node, scope);
      throw new Error(`it calls ${nameOf(callee)}`);
    }
    const property = callee["property"] as Node | undefined;
    if (callee.type !== "MemberExpression" || callee["computed"] === true || property === undefined) {
      throw new Error("it calls a value");
    }
    const name = nameOf(property);
    const object = this.#child(callee, "object", scope);
    const args = (node["args"] as Node[]).map((arg) => this.evaluate(arg, scope));
    const isOfTexts = object.type === "StringValue" && args.every((arg) => arg.type === "StringValue");
    if (!isOfTexts || args.length > 1) throw new Error(`it calls ${name}, or calls it in another way`);
    return toRuntime(textMethod(name, String(object.value), args[0] && String(args[0].value)));
  }

  #filter(node: Node, scope: Scope): TemplateValue {
    const filter = node["filter"] as Node;
    const operand = this.#child(node, "operand", scope);
    const name = nameOf(filter);
    if (filter.type === "Identifier" && operand.type === "StringValue") {
      if (name === "trim") return toRuntime(strip(String(operand.value), "both"));
      if (name === "length") return toRuntime(length(String(operand.value)));
    }
    const isPlain = filter.type === "Identifier" && operand.type === "ArrayValue";
    if (isPlain && ["length", "first", "last"].includes(name) && (operand.value as unknown[]).length > 0) {
      return super.evaluate(replaced(node, { operand }), scope);
    }
    throw new Error(`it uses the filter ${name}, or uses it in another way`);
  }

  #test(node: Node, scope: Scope): TemplateValue {
    const name = nameOf(node["test"] as Node);
    const operand = this.#child(node, "operand", scope);
    // An object counts as one that can be iterated over in the reference alone.
    const isKnown = TESTS.has(name) || (name === "iterable" && operand.type !== "ObjectValue");
    if (!isKnown) throw new Error(`it uses the test ${name}`);
    return super.evaluate(replaced(node, { operand }), scope);
  }

  #binary(node: Node, scope: Scope): TemplateValue {
    const operator = operatorOf(node);
    if (operator === "and" || operator === "or") return super.evaluate(node, scope);
    const left = this.#child(node, "left", scope);
    const right = this.#child(node, "right", scope);
    if (operator === "==") return toRuntime(isSame(left, right));
    if (operator === "!=") return toRuntime(!isSame(left, right));
    const types = `${left.type} ${operator} ${right.type}`;
    if (OPERATIONS.has(types)) return super.evaluate(replaced(node, { left, right }), scope);
    throw new Error(`it uses ${types}`);
  }
}

/** Operators, with the types for which both languages agree on them. */
const OPERATIONS = new Set([
  ...["+", "~", "in", "not in"].map((operator) => `StringValue ${operator} StringValue`),
  ...["+", "-", "<", "<=", ">", ">="].map((operator) => `IntegerValue ${operator} IntegerValue`),
  ...["in", "not in"].flatMap((operator) =>
    ["ObjectValue", "UndefinedValue"].map((right) => `StringValue ${operator} ${right}`),
  ),
  "ArrayValue + ArrayValue",
  "StringValue ~ IntegerValue",
  "IntegerValue ~ StringValue",
]);

/** @param argument absent if it is called without one */
function textMethod(name: string, text: string, argument: string | undefined): unknown {
  const side = Object.hasOwn(SIGNS, name) ? SIGNS[name] : undefined;
  if (side !== undefined) return strip(text, side, argument);
  if (argument !== undefined) {
    if (name === "startswith") return text.startsWith(argument);
    if (name === "endswith") return text.endsWith(argument);
    if (name === "split" && argument !== "") return text.split(argument);
  }
  throw new Error(`it calls ${name}, or calls it in another way`);
}

/** A value of the library's. */
const toRuntime = (value: unknown): TemplateValue => new Environment().set("value", value);

const operatorOf = (node: Node): string => (node["operator"] as { value: string }).value;
const nameOf = (node: Node): string => {
  const value = node.type === "CallExpression" ? (node["callee"] as Node)["value"] : node["value"];
  return typeof value === "string" || typeof value === "number" ? String(value) : node.type;
};

/** A copy of the node, with values in the place of some of its parts. */
function replaced(node: Node, values: Readonly<Record<string, TemplateValue>>): Node {
  const parts = Object.entries(values).map(([name, value]) => [name, { type: "Evaluated", value }]);
  return { ...node, ...(Object.fromEntries(parts) as Record<string, unknown>) };
}

/** The blocks of a node, in which its statements are. */
const blocksOf = (node: Node): Node[][] =>
  ["body", "alternate", "defaultBlock"].flatMap((name) =>
    Array.isArray(node[name]) ? [node[name] as Node[]] : [],
  );

/** What is printed by a block becomes a node of its own: the library prints some values otherwise than the reference. */
function wrapPrinted(node: Node): void {
  for (const block of blocksOf(node)) {
    for (const [index, each] of block.entries()) {
      if (STATEMENTS.has(each.type)) wrapPrinted(each);
      else block[index] = { type: "Output", expression: each } satisfies Node;
    }
  }
}

const setsVariable = (block: readonly Node[]): boolean =>
  block.some(
    (node) =>
      (node.type === "Set" && (node["assignee"] as Node).type !== "MemberExpression") ||
      blocksOf(node).some(setsVariable),
  );
