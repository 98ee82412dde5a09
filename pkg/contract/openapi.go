package contract

import _ "embed"

// OpenAPI is the API as an OpenAPI 3.1 document, in JSON. It is made from
// openapi.yaml, which is the one to change.
//
//go:embed openapi.json
var OpenAPI []byte
