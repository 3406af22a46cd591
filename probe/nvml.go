package probe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// NVMLVersion is the protocol between edge-agent-nvml and the probe; a document of another version is refused.
const NVMLVersion = 1

// Bounds of a document: what a machine could have, well above what any has.
const (
	maxNVMLBytes  = 1 << 20
	maxNVMLGPUs   = 64
	maxNVMLSlices = 64
	maxNVMLText   = 96
)

// NVML is the document edge-agent-nvml prints: what NVIDIA's management library says. A nil number could not be told.
type NVML struct {
	Version int       `json:"v"`
	Driver  string    `json:"driver,omitempty"`
	CUDA    string    `json:"cuda,omitempty"` // newest version the driver speaks, such as 12.4
	Count   int       `json:"count"`          // what the library counts; equal to len(GPUs)
	GPUs    []NVMLGPU `json:"gpus"`
	Error   string    `json:"error,omitempty"` // why nothing could be told; then there are no GPUs
}

// NVMLGPU is one whole GPU.
type NVMLGPU struct {
	Name           string      `json:"name,omitempty"`
	UUID           string      `json:"uuid,omitempty"`
	PCI            string      `json:"pci,omitempty"` // 0000:01:00.0
	Architecture   string      `json:"architecture,omitempty"`
	Capability     string      `json:"compute_capability,omitempty"` // 8.6
	Cores          *uint32     `json:"cores,omitempty"`
	Memory         *NVMLMemory `json:"memory,omitempty"`
	ECC            *bool       `json:"ecc,omitempty"`
	MIG            *bool       `json:"mig,omitempty"` // absent where the GPU cannot be partitioned
	Slices         []NVMLSlice `json:"slices,omitempty"`
	PowerLimitMW   *uint32     `json:"power_limit_mw,omitempty"`
	PowerMW        *uint32     `json:"power_mw,omitempty"`
	TemperatureC   *uint32     `json:"temperature_c,omitempty"`
	UtilisationPct *uint32     `json:"utilisation_pct,omitempty"`
	Processes      *uint32     `json:"processes,omitempty"`
	ProcessBytes   *uint64     `json:"process_bytes,omitempty"` // held by those processes together
}

// NVMLMemory is a frame buffer in bytes.
type NVMLMemory struct {
	Total uint64 `json:"total"`
	Free  uint64 `json:"free"`
	Used  uint64 `json:"used"`
}

// NVMLSlice is one MIG device: a part of a GPU that work can be given to.
type NVMLSlice struct {
	Index           int         `json:"index"`
	UUID            string      `json:"uuid,omitempty"`
	Profile         string      `json:"profile,omitempty"` // 1g.10gb
	Multiprocessors *uint32     `json:"multiprocessors,omitempty"`
	Memory          *NVMLMemory `json:"memory,omitempty"`
}

// DecodeNVML reads one document and nothing after it. It refuses what cannot be true: a count that is not the number
// of GPUs, more free memory than there is, two GPUs at one address.
func DecodeNVML(r io.Reader) (NVML, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxNVMLBytes+1))
	if err != nil {
		return NVML{}, fmt.Errorf("reading the nvml document: %w", err)
	}
	if len(text) > maxNVMLBytes {
		return NVML{}, fmt.Errorf("nvml document above %d bytes", maxNVMLBytes)
	}
	var doc NVML
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return NVML{}, fmt.Errorf("decoding the nvml document: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return NVML{}, errors.New("nvml document: more text after it")
	}
	if err := doc.check(); err != nil {
		return NVML{}, fmt.Errorf("nvml document: %w", err)
	}
	return doc, nil
}

func (n *NVML) check() error {
	switch {
	case n.Version != NVMLVersion:
		return fmt.Errorf("protocol %d, not %d", n.Version, NVMLVersion)
	case n.Error != "" && len(n.GPUs) > 0:
		return errors.New("both an error and GPUs")
	case n.Count != len(n.GPUs):
		return fmt.Errorf("counts %d GPUs and lists %d", n.Count, len(n.GPUs))
	case n.Count > maxNVMLGPUs:
		return fmt.Errorf("%d GPUs, above %d", n.Count, maxNVMLGPUs)
	}
	if err := plainText(n.Driver, n.CUDA); err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := range n.GPUs {
		g := &n.GPUs[i]
		if err := g.check(); err != nil {
			return fmt.Errorf("gpu %d: %w", i, err)
		}
		for _, id := range []string{g.PCI, g.UUID} {
			if id != "" && seen[id] {
				return fmt.Errorf("gpu %d: %s named twice", i, id)
			}
			seen[id] = true
		}
	}
	return nil
}

func (g *NVMLGPU) check() error {
	if err := plainText(g.Name, g.UUID, g.PCI, g.Architecture, g.Capability); err != nil {
		return err
	}
	if err := g.Memory.check(); err != nil {
		return err
	}
	if g.UtilisationPct != nil && *g.UtilisationPct > 100 {
		return fmt.Errorf("%d %% in use", *g.UtilisationPct)
	}
	if len(g.Slices) > maxNVMLSlices {
		return fmt.Errorf("%d slices, above %d", len(g.Slices), maxNVMLSlices)
	}
	if len(g.Slices) > 0 && (g.MIG == nil || !*g.MIG) {
		return errors.New("slices without MIG")
	}
	seen := map[int]bool{}
	for _, s := range g.Slices {
		if seen[s.Index] || s.Index < 0 {
			return fmt.Errorf("slice %d named twice or negative", s.Index)
		}
		seen[s.Index] = true
		if err := plainText(s.UUID, s.Profile); err != nil {
			return err
		}
		if err := s.Memory.check(); err != nil {
			return fmt.Errorf("slice %d: %w", s.Index, err)
		}
	}
	return nil
}

func (m *NVMLMemory) check() error {
	if m != nil && (m.Free > m.Total || m.Used > m.Total || m.Total > 1<<50) {
		return fmt.Errorf("memory of %d bytes with %d free and %d used", m.Total, m.Free, m.Used)
	}
	return nil
}

// plainText holds text to what a person could have named a device: short, printable, one line.
func plainText(texts ...string) error {
	for _, text := range texts {
		if len(text) > maxNVMLText || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			return fmt.Errorf("text that names no device: %.32q", text)
		}
	}
	return nil
}
