//go:build linux && cgo && (amd64 || arm64)

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxa100"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/server"
	"github.com/google/go-cmp/cmp"

	"github.com/edge-agent/edge-agent/probe"
)

// TestMain lets the test binary be the command itself, so that a library can end its process and not the tests'.
func TestMain(m *testing.M) {
	if os.Getenv("EDGE_AGENT_NVML_TEST") == "main" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// helper runs the command and gives its standard output, standard error and exit status.
func helper(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), "EDGE_AGENT_NVML_TEST=main")
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), trouble.String(), cmd.ProcessState.ExitCode()
}

// library compiles the fake library with the given definitions.
func library(t *testing.T, defines ...string) string {
	t.Helper()
	compiler, err := exec.LookPath("cc")
	if err != nil {
		if compiler, err = exec.LookPath("gcc"); err != nil {
			t.Skip("no cc or gcc to build the fake NVML library with")
		}
	}
	path := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	args := []string{"-shared", "-fPIC", "-O0", "-w", "-o", path}
	for _, d := range defines {
		args = append(args, "-D"+d)
	}
	if out, err := exec.Command(compiler, append(args, "testdata/fake.c")...).CombinedOutput(); err != nil {
		t.Fatalf("building the fake library: %v\n%s", err, out)
	}
	return path
}

func ref[T any](v T) *T { return &v }

func TestDocumentOfALibrary(t *testing.T) {
	whole := probe.NVMLGPU{
		Name: "NVIDIA Fake", UUID: "GPU-1", PCI: "0000:02:00.0", Architecture: "ampere", Capability: "8.6",
		Cores: ref(uint32(3584)), Memory: &probe.NVMLMemory{Total: 8 << 30, Free: 5 << 30, Used: 2 << 30}, MIG: ref(false),
		PowerLimitMW: ref(uint32(170000)), PowerMW: ref(uint32(30000)), TemperatureC: ref(uint32(41)),
		UtilisationPct: ref(uint32(37)),
	}
	cut := whole
	cut.UUID, cut.PCI, cut.MIG = "GPU-0", "0000:01:00.0", ref(true)
	cut.Slices = []probe.NVMLSlice{{Index: 3, UUID: "MIG-0", Profile: "1g.5gb", Multiprocessors: ref(uint32(14)),
		Memory: &probe.NVMLMemory{Total: 4864 << 20, Free: 4800 << 20, Used: 64 << 20}}}
	noMemory := whole
	noMemory.UUID, noMemory.PCI, noMemory.MIG, noMemory.Memory = "GPU-0", "0000:01:00.0", ref(true), nil
	noMemory.Slices = []probe.NVMLSlice{{Index: 3, UUID: "MIG-0", Profile: "1g.5gb", Multiprocessors: ref(uint32(14))}}
	tests := map[string]struct {
		defines []string
		want    probe.NVML
	}{
		"that knows everything": {nil, probe.NVML{Driver: "550.54.15", CUDA: "12.4", Count: 2,
			GPUs: []probe.NVMLGPU{cut, whole}}},
		"older than most of the functions": {[]string{"OLD", "COUNT=1"}, probe.NVML{Driver: "550.54.15", Count: 1,
			GPUs: []probe.NVMLGPU{{Name: "NVIDIA Fake", UUID: "GPU-0", TemperatureC: ref(uint32(41)),
				Memory: &probe.NVMLMemory{Total: 8 << 30, Free: 6 << 30, Used: 2 << 30}}}}},
		"of a GPU in the machine's own memory": {[]string{"MEMORY=NOT_SUPPORTED", "COUNT=1"}, probe.NVML{
			Driver: "550.54.15", CUDA: "12.4", Count: 1, GPUs: []probe.NVMLGPU{noMemory}}},
		"without a driver": {[]string{"INIT=9"}, probe.NVML{Error: "starting the library: driver not loaded"}},
		"newer than the driver": {[]string{"INIT=18"}, probe.NVML{
			Error: "starting the library: driver and library are of different versions"}},
		"failing with a new code": {[]string{"INIT=77"}, probe.NVML{Error: "starting the library: code 77"}},
		"that counts beyond sense": {[]string{"COUNT=1000000"}, probe.NVML{Driver: "550.54.15", CUDA: "12.4",
			Error: "library counts 1000000 devices, above 64"}},
		"without GPUs": {[]string{"COUNT=0"}, probe.NVML{Driver: "550.54.15", CUDA: "12.4", GPUs: []probe.NVMLGPU{}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			out, trouble, status := helper(t, "-library", library(t, tt.defines...))
			if status != 0 {
				t.Fatalf("status %d: %s", status, trouble)
			}
			got, err := probe.DecodeNVML(strings.NewReader(out))
			if err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			tt.want.Version = probe.NVMLVersion
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("document (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoLibraryIsSaidPlainly(t *testing.T) {
	out, _, status := helper(t, "-library", filepath.Join(t.TempDir(), "libnvidia-ml.so.1"))
	doc, err := probe.DecodeNVML(strings.NewReader(out))
	if err != nil || status != 0 || !strings.Contains(doc.Error, "not found") {
		t.Errorf("status %d, %+v, %v", status, doc, err)
	}
}

func TestAHangingDriverEndsTheHelperByItself(t *testing.T) {
	out, trouble, status := helper(t, "-timeout", "300ms", "-library", library(t, "HANG"))
	if status != 5 || out != "" || !strings.Contains(trouble, "no answer from the driver") {
		t.Errorf("status %d, stdout %q, stderr %q", status, out, trouble)
	}
}

func TestALibraryThatIsNoneEndsTheHelperWithoutAWord(t *testing.T) {
	out, trouble, status := helper(t, "-library", library(t, "NOINIT"))
	if status == 0 || out != "" || !strings.Contains(trouble, "nvmlInit") {
		t.Errorf("status %d, stdout %q, stderr %q", status, out, trouble)
	}
}

func TestAStrangeNameIsRefusedByTheReader(t *testing.T) {
	out, _, _ := helper(t, "-library", library(t, `NAME="evil\x1b[2J"`))
	if _, err := probe.DecodeNVML(strings.NewReader(out)); err == nil {
		t.Errorf("accepted %s", out)
	}
}

// onlyTheseFunctions is what a mock server answers; everything else must look missing, since asking it panics.
type onlyTheseFunctions map[string]bool

func (o onlyTheseFunctions) LookupSymbol(name string) error {
	if o[name] {
		return nil
	}
	return errors.New("undefined symbol: " + name)
}

func TestDocumentOfAMockedDGX(t *testing.T) {
	mock := dgxa100.New()
	has := onlyTheseFunctions{}
	for _, name := range []string{"SystemGetDriverVersion", "SystemGetCudaDriverVersion", "DeviceGetCount_v2",
		"DeviceGetHandleByIndex_v2", "DeviceGetName", "DeviceGetUUID", "DeviceGetPciInfo_v3", "DeviceGetMemoryInfo",
		"DeviceGetCudaComputeCapability", "DeviceGetArchitecture", "DeviceGetMigMode"} {
		has["nvml"+name] = true
	}
	mock.ExtensionsFunc = func() nvml.ExtendedInterface { return has }
	for i, d := range mock.Devices {
		d.(*server.Device).GetPciInfoFunc = func() (nvml.PciInfo, nvml.Return) {
			return nvml.PciInfo{Bus: uint32(i) + 7}, nvml.SUCCESS
		}
	}
	doc := read(mock)
	if doc.Error != "" || doc.Count != 8 || doc.Driver != "550.54.15" || doc.CUDA != "12.4" {
		t.Fatalf("document: %+v", doc)
	}
	g := doc.GPUs[7]
	if !strings.Contains(g.Name, "A100") || g.Capability != "8.0" ||
		g.Architecture != "ampere" || g.PCI != "0000:0e:00.0" || g.Memory == nil || g.Memory.Total != 40960<<20 ||
		g.MIG == nil || *g.MIG {
		t.Errorf("the last GPU: %+v", g)
	}
}
