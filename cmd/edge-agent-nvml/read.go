//go:build linux && cgo && (amd64 || arm64)

package main

import (
	"fmt"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/edge-agent/edge-agent/probe"
)

// maxDevices bounds what one library may claim, so that a wrong count cannot make the document endless.
const maxDevices = 64

// reader asks one started library. Every call is preceded by a look for its symbol: calling one that the installed
// driver does not export would end the process.
type reader struct{ lib nvml.Interface }

// has says whether the library exports any of the names, the versions of one function.
func (r reader) has(names ...string) bool {
	for _, name := range names {
		if r.lib.Extensions().LookupSymbol(name) == nil {
			return true
		}
	}
	return false
}

// number is an answer that may be missing: nil unless the symbol exists and the call succeeded.
func number[N uint32 | int](r reader, call func() (N, nvml.Return), name string) *uint32 {
	if !r.has(name) {
		return nil
	}
	n, ret := call()
	if ret != nvml.SUCCESS {
		return nil
	}
	value := uint32(n)
	return &value
}

func (r reader) text(call func() (string, nvml.Return), name string) string {
	if !r.has(name) {
		return ""
	}
	s, ret := call()
	if ret != nvml.SUCCESS {
		return ""
	}
	return s
}

func (r reader) driver() string {
	return r.text(r.lib.SystemGetDriverVersion, "nvmlSystemGetDriverVersion")
}

func (r reader) cuda() string {
	if !r.has("nvmlSystemGetCudaDriverVersion") {
		return ""
	}
	v, ret := r.lib.SystemGetCudaDriverVersion()
	if ret != nvml.SUCCESS || v <= 0 {
		return ""
	}
	return fmt.Sprintf("%d.%d", v/1000, v%1000/10)
}

func (r reader) gpus() ([]probe.NVMLGPU, error) {
	if !r.has("nvmlDeviceGetCount_v2", "nvmlDeviceGetCount") ||
		!r.has("nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex") {
		return nil, fmt.Errorf("library without a way to list devices")
	}
	count, ret := r.lib.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return nil, fmt.Errorf("counting devices: %s", reason(ret))
	}
	if count < 0 || count > maxDevices {
		return nil, fmt.Errorf("library counts %d devices, above %d", count, maxDevices)
	}
	gpus := make([]probe.NVMLGPU, count)
	for i := range gpus {
		device, ret := r.lib.DeviceGetHandleByIndex(i)
		if ret != nvml.SUCCESS {
			return nil, fmt.Errorf("opening device %d of %d: %s", i, count, reason(ret))
		}
		gpus[i] = r.gpu(device)
	}
	return gpus, nil
}

func (r reader) gpu(d nvml.Device) probe.NVMLGPU {
	g := probe.NVMLGPU{
		Name:         r.text(d.GetName, "nvmlDeviceGetName"),
		UUID:         r.text(d.GetUUID, "nvmlDeviceGetUUID"),
		PCI:          r.address(d),
		Architecture: r.architecture(d),
		Capability:   r.capability(d),
		Memory:       r.memory(d),
		Cores:        number(r, d.GetNumGpuCores, "nvmlDeviceGetNumGpuCores"),
		PowerLimitMW: number(r, d.GetEnforcedPowerLimit, "nvmlDeviceGetEnforcedPowerLimit"),
		PowerMW:      number(r, d.GetPowerUsage, "nvmlDeviceGetPowerUsage"),
	}
	g.TemperatureC = number(r, func() (uint32, nvml.Return) { return d.GetTemperature(nvml.TEMPERATURE_GPU) },
		"nvmlDeviceGetTemperature")
	g.UtilisationPct = number(r, func() (uint32, nvml.Return) {
		rates, ret := d.GetUtilizationRates()
		return rates.Gpu, ret
	}, "nvmlDeviceGetUtilizationRates")
	g.ECC = r.ecc(d)
	g.MIG, g.Slices = r.mig(d)
	g.Processes, g.ProcessBytes = r.processes(d)
	return g
}

func (r reader) memory(d nvml.Device) *probe.NVMLMemory {
	if r.has("nvmlDeviceGetMemoryInfo_v2") {
		if m, ret := d.GetMemoryInfo_v2(); ret == nvml.SUCCESS && m.Total > 0 {
			return &probe.NVMLMemory{Total: m.Total, Free: m.Free, Used: m.Used}
		}
	}
	if r.has("nvmlDeviceGetMemoryInfo") {
		if m, ret := d.GetMemoryInfo(); ret == nvml.SUCCESS && m.Total > 0 {
			return &probe.NVMLMemory{Total: m.Total, Free: m.Free, Used: m.Used}
		}
	}
	return nil // a GPU that shares the machine's memory has none of its own to report
}

func (r reader) address(d nvml.Device) string {
	if !r.has("nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetPciInfo_v2", "nvmlDeviceGetPciInfo") {
		return ""
	}
	pci, ret := d.GetPciInfo()
	if ret != nvml.SUCCESS {
		return ""
	}
	return fmt.Sprintf("%04x:%02x:%02x.0", pci.Domain, pci.Bus, pci.Device)
}

func (r reader) capability(d nvml.Device) string {
	if !r.has("nvmlDeviceGetCudaComputeCapability") {
		return ""
	}
	major, minor, ret := d.GetCudaComputeCapability()
	if ret != nvml.SUCCESS {
		return ""
	}
	return fmt.Sprintf("%d.%d", major, minor)
}

func (r reader) architecture(d nvml.Device) string {
	if !r.has("nvmlDeviceGetArchitecture") {
		return ""
	}
	a, ret := d.GetArchitecture()
	if ret != nvml.SUCCESS {
		return ""
	}
	return map[nvml.DeviceArchitecture]string{
		nvml.DEVICE_ARCH_KEPLER: "kepler", nvml.DEVICE_ARCH_MAXWELL: "maxwell", nvml.DEVICE_ARCH_PASCAL: "pascal",
		nvml.DEVICE_ARCH_VOLTA: "volta", nvml.DEVICE_ARCH_TURING: "turing", nvml.DEVICE_ARCH_AMPERE: "ampere",
		nvml.DEVICE_ARCH_ADA: "ada", nvml.DEVICE_ARCH_HOPPER: "hopper", nvml.DEVICE_ARCH_BLACKWELL: "blackwell",
		nvml.DEVICE_ARCH_RUBIN: "rubin",
	}[a]
}

func (r reader) ecc(d nvml.Device) *bool {
	if !r.has("nvmlDeviceGetEccMode") {
		return nil
	}
	current, _, ret := d.GetEccMode()
	if ret != nvml.SUCCESS {
		return nil
	}
	on := current == nvml.FEATURE_ENABLED
	return &on
}

func (r reader) mig(d nvml.Device) (*bool, []probe.NVMLSlice) {
	if !r.has("nvmlDeviceGetMigMode") {
		return nil, nil
	}
	current, _, ret := d.GetMigMode()
	if ret != nvml.SUCCESS {
		return nil, nil
	}
	on := current == nvml.DEVICE_MIG_ENABLE
	if !on || !r.has("nvmlDeviceGetMaxMigDeviceCount") || !r.has("nvmlDeviceGetMigDeviceHandleByIndex") {
		return &on, nil
	}
	most, ret := d.GetMaxMigDeviceCount()
	if ret != nvml.SUCCESS {
		return &on, nil
	}
	var slices []probe.NVMLSlice
	for i := range min(most, maxDevices) {
		part, ret := d.GetMigDeviceHandleByIndex(i)
		if ret != nvml.SUCCESS {
			continue // an index without an instance is how the library says "not in use"
		}
		slices = append(slices, r.slice(i, part))
	}
	return &on, slices
}

func (r reader) slice(index int, d nvml.Device) probe.NVMLSlice {
	s := probe.NVMLSlice{Index: index, UUID: r.text(d.GetUUID, "nvmlDeviceGetUUID"), Memory: r.memory(d)}
	if _, profile, ok := strings.Cut(r.text(d.GetName, "nvmlDeviceGetName"), " MIG "); ok {
		s.Profile = profile
	}
	if !r.has("nvmlDeviceGetAttributes_v2", "nvmlDeviceGetAttributes") {
		return s
	}
	a, ret := d.GetAttributes()
	if ret != nvml.SUCCESS {
		return s
	}
	s.Multiprocessors = &a.MultiprocessorCount
	if s.Profile == "" && a.GpuInstanceSliceCount > 0 {
		s.Profile = fmt.Sprintf("%dg.%dgb", a.GpuInstanceSliceCount, (a.MemorySizeMB+1023)/1024)
	}
	return s
}

func (r reader) processes(d nvml.Device) (count *uint32, held *uint64) {
	if !r.has("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2",
		"nvmlDeviceGetComputeRunningProcesses") {
		return nil, nil
	}
	running, ret := d.GetComputeRunningProcesses()
	if ret != nvml.SUCCESS {
		return nil, nil
	}
	n, bytes := uint32(len(running)), uint64(0)
	for _, p := range running {
		if p.UsedGpuMemory == ^uint64(0) { // NVML_VALUE_NOT_AVAILABLE
			return &n, nil
		}
		bytes += p.UsedGpuMemory
	}
	return &n, &bytes
}
