//go:build linux && cgo && (amd64 || arm64)

// Command edge-agent-nvml prints what NVIDIA's management library says about this machine's GPUs, as one JSON document.
//
// It is a process of its own because a function that the installed driver lacks ends the process that calls it, and a
// sick driver can hold a call for ever: the agent sets a deadline and loses at most one answer. It changes nothing.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/edge-agent/edge-agent/probe"
)

func main() {
	library := flag.String("library", "", "path of libnvidia-ml.so.1; empty lets the loader find it")
	timeout := flag.Duration("timeout", 10*time.Second, "end after this long, whatever the driver does")
	flag.Parse()
	// A call into the driver cannot be interrupted, but the process around it can be left.
	time.AfterFunc(*timeout, func() {
		fmt.Fprintf(os.Stderr, "edge-agent-nvml: no answer from the driver within %s\n", *timeout)
		os.Exit(5)
	})
	var options []nvml.LibraryOption
	if *library != "" {
		options = append(options, nvml.WithLibraryPath(*library))
	}
	document := read(nvml.New(options...))
	if err := json.NewEncoder(os.Stdout).Encode(document); err != nil {
		fmt.Fprintln(os.Stderr, "edge-agent-nvml: writing the document:", err)
		os.Exit(1)
	}
}

// read asks the library everything and leaves out what it does not answer.
func read(lib nvml.Interface) probe.NVML {
	document := probe.NVML{Version: probe.NVMLVersion}
	// After a failed Init no other function may be called, not even for the error's text.
	if ret := lib.Init(); ret != nvml.SUCCESS {
		document.Error = "starting the library: " + reason(ret)
		return document
	}
	r := reader{lib: lib}
	document.Driver, document.CUDA = r.driver(), r.cuda()
	gpus, err := r.gpus()
	if err != nil {
		document.Error = err.Error()
		return document
	}
	document.GPUs, document.Count = gpus, len(gpus)
	return document
}

// reason names the codes a person can act on; the library's own text is not asked, since asking could end the process.
func reason(ret nvml.Return) string {
	switch ret {
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return "library not found"
	case nvml.ERROR_DRIVER_NOT_LOADED:
		return "driver not loaded"
	case nvml.ERROR_LIB_RM_VERSION_MISMATCH:
		return "driver and library are of different versions"
	case nvml.ERROR_NO_PERMISSION:
		return "no permission"
	case nvml.ERROR_GPU_IS_LOST:
		return "GPU fell off the bus"
	case nvml.ERROR_NOT_SUPPORTED:
		return "not supported"
	}
	return fmt.Sprintf("code %d", int32(ret))
}
