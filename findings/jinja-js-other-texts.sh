#!/usr/bin/env bash
# @huggingface/jinja 0.5.11 beside Python's jinja2 3.1.6.
#
# The JavaScript library evaluates the chat templates that transformers evaluates with jinja2, and takes the same templates
# without a complaint. Some operations that such templates use give another text, and so other tokens:
# rstrip('\n') takes every white space away, whatever its argument says; {% break %} drops what the loop's last round has
# printed; booleans are written in small letters; a string's length counts UTF-16 units; and a variable that is set in one
# round of a loop is still there in the next.
#
# Output on 2026-11-30 (Python, JavaScript):
#   "a " "a"
#   "12" "1"
#   "True" "true"
#   "1" "2"
#   "-" "--x"
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >templates.json <<'JSON'
[
  "{{ 'a \n'.rstrip('\n') }}",
  "{% for x in [1, 2, 3] %}{{ x }}{% if x == 2 %}{% break %}{% endif %}{% endfor %}",
  "{{ 1 == 1 }}",
  "{{ bird | length }}",
  "{% for i in [1, 2] %}{% if i == 2 %}{{ '-' ~ (seen or '') }}{% endif %}{% set seen = '-x' %}{% endfor %}"
]
JSON
cat >python.py <<'PYTHON'
import json

from jinja2 import Environment

environment = Environment(extensions=["jinja2.ext.loopcontrols"], trim_blocks=True, lstrip_blocks=True)
for template in json.load(open("templates.json")):
    print(json.dumps(environment.from_string(template).render(bird="\U0001F426")))
PYTHON
cat >javascript.mjs <<'JAVASCRIPT'
import { readFileSync } from "node:fs";
import { Template } from "@huggingface/jinja";

for (const template of JSON.parse(readFileSync("templates.json", "utf8"))) {
  console.log(JSON.stringify(new Template(template).render({ bird: "\u{1F426}" })));
}
JAVASCRIPT

npm install --silent --no-fund --no-audit --prefix . @huggingface/jinja@0.5.11 >/dev/null
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check jinja2==3.1.6
paste -d ' ' <(python/bin/python python.py) <(node javascript.mjs) | tee found
diff found - <<'EXPECTED'
"a " "a"
"12" "1"
"True" "true"
"1" "2"
"-" "--x"
EXPECTED
