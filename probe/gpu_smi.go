package probe

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// smiLog is the part of `nvidia-smi -q -x` that is used. Newer drivers rename elements and keep the old for a while, so
// some facts have two.
type smiLog struct {
	XMLName xml.Name `xml:"nvidia_smi_log"`
	Driver  string   `xml:"driver_version"`
	KMD     string   `xml:"kmd_version"`
	CUDA    string   `xml:"cuda_version"`
	UMD     string   `xml:"cuda_umd_version"`
	Count   string   `xml:"attached_gpus"`
	GPUs    []smiGPU `xml:"gpu"`
}

type smiGPU struct {
	ID           string     `xml:"id,attr"`
	Name         string     `xml:"product_name"`
	Architecture string     `xml:"product_architecture"`
	UUID         string     `xml:"uuid"`
	MIG          string     `xml:"mig_mode>current_mig"`
	Slices       []smiSlice `xml:"mig_devices>mig_device"`
	Memory       smiMemory  `xml:"fb_memory_usage"`
	ECC          string     `xml:"ecc_mode>current_ecc"`
	Temperature  string     `xml:"temperature>gpu_temp"`
	Utilisation  string     `xml:"utilization>gpu_util"`
	Power        smiPower   `xml:"gpu_power_readings"`
	OldPower     smiPower   `xml:"power_readings"`
	Processes    []struct {
		Used string `xml:"used_memory"`
	} `xml:"processes>process_info"`
}

type smiSlice struct {
	Index  string    `xml:"index"`
	Units  string    `xml:"device_attributes>shared>multiprocessor_count"`
	Memory smiMemory `xml:"fb_memory_usage"`
}

type smiMemory struct {
	Total string `xml:"total"`
	Used  string `xml:"used"`
	Free  string `xml:"free"`
}

type smiPower struct {
	Draw     string `xml:"power_draw"`
	Instant  string `xml:"instant_power_draw"`
	Enforced string `xml:"enforced_power_limit"`
	Current  string `xml:"current_power_limit"`
	Limit    string `xml:"power_limit"`
	Ceiling  string `xml:"gpu_ceiling_power_limit>current_power_limit"`
}

// parseSMI reads the XML of nvidia-smi into the helper's form, under the helper's checks.
func parseSMI(r io.Reader) (NVML, error) {
	d := xml.NewDecoder(io.LimitReader(r, maxOutput))
	var log smiLog
	if err := d.Decode(&log); err != nil {
		return NVML{}, fmt.Errorf("decoding nvidia-smi: %w", err)
	}
	doc := NVML{Version: NVMLVersion, Driver: firstWord(log.KMD, log.Driver), CUDA: firstWord(log.UMD, log.CUDA),
		Count: len(log.GPUs)}
	if log.Count != "" {
		// It may list fewer than are attached, when asked for some or when a card does not answer; never more.
		if n, err := strconv.Atoi(log.Count); err != nil || n < doc.Count {
			return NVML{}, fmt.Errorf("nvidia-smi lists %d GPUs of %.32q attached", doc.Count, log.Count)
		}
	}
	for _, g := range log.GPUs {
		gpu, err := g.gpu()
		if err != nil {
			return NVML{}, fmt.Errorf("decoding nvidia-smi: gpu %.32q: %w", g.ID, err)
		}
		doc.GPUs = append(doc.GPUs, gpu)
	}
	if err := doc.check(); err != nil {
		return NVML{}, fmt.Errorf("nvidia-smi: %w", err)
	}
	return doc, nil
}

func (s smiGPU) gpu() (NVMLGPU, error) {
	g := NVMLGPU{Name: said(s.Name), UUID: said(s.UUID), PCI: pciAddress(s.ID), Memory: s.Memory.bytes(),
		Architecture: strings.ToLower(said(s.Architecture)), ECC: enabled(s.ECC), MIG: enabled(s.MIG)}
	g.PowerLimitMW = milli(s.Power.Current, s.Power.Ceiling, s.Power.Enforced, s.Power.Limit, s.OldPower.Enforced,
		s.OldPower.Limit)
	g.PowerMW = milli(s.Power.Instant, s.Power.Draw, s.OldPower.Draw)
	g.TemperatureC, g.UtilisationPct = whole(s.Temperature, "C"), whole(s.Utilisation, "%")
	if len(s.Slices) > maxNVMLSlices {
		return g, errors.New("too many MIG devices")
	}
	for _, part := range s.Slices {
		index := whole(part.Index, "")
		if index == nil {
			return g, fmt.Errorf("MIG device without an index: %.32q", part.Index)
		}
		g.Slices = append(g.Slices, NVMLSlice{Index: int(*index & 0xffff), Multiprocessors: whole(part.Units, ""),
			Memory: part.Memory.bytes()})
	}
	n, held := uint32(len(s.Processes)), uint64(0)
	for _, p := range s.Processes {
		if mib := whole(p.Used, "MiB"); mib != nil {
			held += uint64(*mib) << 20
		}
	}
	if n > 0 {
		g.Processes, g.ProcessBytes = &n, &held
	}
	return g, nil
}

func (m smiMemory) bytes() *NVMLMemory {
	total, used, free := whole(m.Total, "MiB"), whole(m.Used, "MiB"), whole(m.Free, "MiB")
	if total == nil || *total == 0 {
		return nil
	}
	b := &NVMLMemory{Total: uint64(*total) << 20}
	if used != nil && free != nil {
		b.Used, b.Free = uint64(*used)<<20, uint64(*free)<<20
	}
	return b
}

// said is what the tool said, or nothing where it says that it does not know.
func said(text string) string {
	text = strings.TrimSpace(text)
	for _, nothing := range []string{"N/A", "[", "Unknown", "Requested"} {
		if strings.HasPrefix(text, nothing) {
			return ""
		}
	}
	return text
}

// firstWord is the first text that says anything, without the remark that may follow: "610.57 [Deprecated; …]".
func firstWord(texts ...string) string {
	for _, text := range texts {
		if word, _, _ := strings.Cut(said(text), " "); word != "" {
			return word
		}
	}
	return ""
}

func enabled(text string) *bool {
	switch said(text) {
	case "Enabled":
		yes := true
		return &yes
	case "Disabled":
		no := false
		return &no
	}
	return nil
}

// whole reads a whole number with its unit, nil for anything else.
func whole(text, unit string) *uint32 {
	n, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(said(text), unit)), 10, 32)
	if err != nil {
		return nil
	}
	value := uint32(n)
	return &value
}

// milli reads the first that is watts, into thousandths.
func milli(texts ...string) *uint32 {
	for _, text := range texts {
		w, err := strconv.ParseFloat(strings.TrimSuffix(said(text), " W"), 64)
		if err == nil && w > 0 && w < 1e6 {
			mw := uint32(w*1000 + 0.5)
			return &mw
		}
	}
	return nil
}

// pciAddress brings NVIDIA's form, 0000000F:01:00.0, to the kernel's.
func pciAddress(id string) string {
	id = strings.ToLower(strings.TrimSpace(id))
	if domain, rest, ok := strings.Cut(id, ":"); ok && len(domain) == 8 && strings.HasPrefix(domain, "0000") {
		return domain[4:] + ":" + rest
	}
	return id
}
