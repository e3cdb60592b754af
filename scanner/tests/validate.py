"""A report on stdin, what the official validator of its format has against it on stderr; exit code 1 if it has."""

import json
import pathlib
import subprocess
import sys
import tempfile

SCHEMAS = pathlib.Path(__file__).parents[2] / "target/validators/schemas"


def cyclonedx(text, xml):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    from cyclonedx.validation.xml import XmlValidator

    validator = XmlValidator if xml else JsonStrictValidator
    error = validator(SchemaVersion.V1_6).validate_str(text)
    return [str(error)] if error else []


def spdx(text, suffix):
    from spdx_tools.spdx.parser.error import SPDXParsingError
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    with tempfile.NamedTemporaryFile("w", suffix=suffix, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        try:
            document = parse_file(file.name)
        except SPDXParsingError as error:
            return error.get_messages()
    return [f"{one.validation_message} ({one.context.spdx_id})" for one in validate_full_spdx_document(document, "SPDX-2.3")]


def sarif(text):
    import jsonschema

    schema = json.loads((SCHEMAS / "sarif.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    return [error.message for error in validator.iter_errors(json.loads(text))]


def junit(text):
    from lxml import etree

    schema = etree.XMLSchema(etree.parse(SCHEMAS / "junit.xsd"))
    document = etree.fromstring(text.encode(), etree.XMLParser(huge_tree=True))
    schema.validate(document)
    return [str(error) for error in schema.error_log]


def csaf(text):
    command = ["node", pathlib.Path(__file__).with_name("csaf.mjs"), SCHEMAS.parent / "node"]
    done = subprocess.run(command, input=text, capture_output=True, encoding="utf-8")
    return done.stderr.splitlines() or [done.stdout] if done.returncode else []


def openvex(text):
    import vexipy

    try:
        vexipy.Document.from_json(text)
    except ValueError as error:
        return [str(error)]
    # The reader takes what the format's schema does not: a list of statements must not be empty.
    if not json.loads(text)["statements"]:
        return ["statements: empty"]
    return []


VALIDATORS = {
    "cyclonedx": lambda text: cyclonedx(text, xml=False),
    "cyclonedx-xml": lambda text: cyclonedx(text, xml=True),
    "cyclonedx-vex": lambda text: cyclonedx(text, xml=False),
    "csaf-vex": csaf,
    "openvex": openvex,
    "spdx": lambda text: spdx(text, ".spdx.json"),
    "spdx-tag-value": lambda text: spdx(text, ".spdx"),
    "sarif": sarif,
    "junit": junit,
}

errors = VALIDATORS[sys.argv[1]](sys.stdin.buffer.read().decode())
for error in errors[:20]:
    print(error[:2000], file=sys.stderr)
sys.exit(1 if errors else 0)
