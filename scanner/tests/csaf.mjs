// A CSAF document on stdin, what the validator of its makers has against it on stderr: schema and mandatory tests.
// The folder of its package is the only argument.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const require = createRequire(process.argv[2] + '/')
const load = async (name) => import(pathToFileURL(require.resolve('@secvisogram/csaf-validator-lib/' + name)))
const { default: validate } = await load('validate.js')
const tests = await load('basic.js')
const result = await validate(Object.values(tests), JSON.parse(readFileSync(0, 'utf8')))
for (const test of result.tests) {
  for (const error of test.errors) console.error(`${test.name}: ${error.instancePath} ${error.message}`)
}
process.exit(result.isValid ? 0 : 1)
