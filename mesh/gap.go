package mesh

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Gap is a notice of outputs that were lost: the payload of a frame that stands outside the chain.
type Gap struct {
	From   uint64 `json:"from"` // the first sequence, and
	To     uint64 `json:"to"`   // the last
	Reason string `json:"reason"`
}

// Append adds the JSON of the notice to b.
func (g *Gap) Append(b []byte) []byte {
	b = strconv.AppendUint(append(b, `{"from":`...), g.From, 10)
	b = strconv.AppendUint(append(b, `,"to":`...), g.To, 10)
	return append(AppendJSONText(append(b, `,"reason":`...), g.Reason), '}')
}

// ParseGap reads the JSON of a notice.
func ParseGap(b []byte) (Gap, error) {
	var g Gap
	if err := json.Unmarshal(b, &g); err != nil {
		return Gap{}, fmt.Errorf("gap notice: %w", err)
	}
	if g.From == 0 || g.To < g.From {
		return Gap{}, fmt.Errorf("gap notice from %d to %d: want at least 1, in order", g.From, g.To)
	}
	return g, nil
}
