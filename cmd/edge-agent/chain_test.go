package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/edge-agent/edge-agent/mesh"
)

func TestChainVerifyReadsRawFrames(t *testing.T) {
	for name, between := range map[string]string{"one behind another": "", "with line feeds": "\n"} {
		chain := mesh.NewChain(mesh.OriginOf("default", "pump"), 1, 0)
		var raw bytes.Buffer
		for i := range 300 {
			payload := fmt.Appendf(nil, "%0*d", i, i) // of every length, so that one begins with a line feed
			frame := mesh.Frame{Daemon: "pump", Epoch: 1, Link: chain.Append(payload, 0), Payload: payload}
			raw.Write(mesh.AppendFrame(nil, &frame))
			raw.WriteString(between)
		}
		var out, errs bytes.Buffer
		code := run([]string{"chain", "verify", "--output", "json"}, streams{in: &raw, out: &out, err: &errs})
		var got verdict
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out.String())
		}
		if code != exitOK || !got.Good || len(got.Chains) != 1 || got.Chains[0].Events != 300 {
			t.Errorf("%s: exit code %d, %+v, %s", name, code, got, errs.String())
		}
	}
}
