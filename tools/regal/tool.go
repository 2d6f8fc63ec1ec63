//go:build tools

// Package tools pins regal by hash: its module is built from go.sum, not from a floating tag.
package tools

import _ "github.com/open-policy-agent/regal"
