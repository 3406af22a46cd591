package probe

import (
	"path"
	"regexp"
	"strings"
)

func runtimesSubject() Subject {
	return Subject{
		Name:  "runtimes",
		Probe: probeRuntimes,
		Words: []Word{
			{Key: "software.runtime.NAME", Unit: "text", From: "/usr/bin, /run, /opt and the like", Since: "0.1",
				Meaning: "something to run programs with, and its version where a file tells: docker, containerd, podman, " +
					"nvidia_container, python, node, java, go, dotnet, wasmtime, cuda, rocm …"},
			{Key: "software.framework.NAME", Unit: "text", From: "Python's dist-packages, libraries", Since: "0.1",
				Meaning: "a framework for machine learning, and its version: pytorch, tensorflow, onnxruntime, tensorrt …"},
		},
	}
}

// engines are known by a socket or a program.
var engines = map[string][]string{
	"docker":           {"/run/docker.sock", "/var/run/docker.sock", "/usr/bin/dockerd", "/usr/local/bin/dockerd"},
	"containerd":       {"/run/containerd/containerd.sock", "/usr/bin/containerd", "/usr/local/bin/containerd"},
	"podman":           {"/usr/bin/podman", "/usr/local/bin/podman"},
	"crio":             {"/run/crio/crio.sock", "/usr/bin/crio"},
	"runc":             {"/usr/bin/runc", "/usr/sbin/runc", "/usr/local/sbin/runc"},
	"crun":             {"/usr/bin/crun"},
	"lxc":              {"/usr/bin/lxc-start"},
	"kubelet":          {"/usr/bin/kubelet", "/var/lib/kubelet/config.yaml"},
	"k3s":              {"/usr/local/bin/k3s"},
	"balena":           {"/usr/bin/balenad", "/usr/bin/balena-engine"},
	"nvidia_container": {"/usr/bin/nvidia-container-runtime", "/usr/bin/nvidia-ctk", "/usr/bin/nvidia-container-cli"},
	"wasmtime":         {"/usr/bin/wasmtime", "/usr/local/bin/wasmtime"},
	"wasmedge":         {"/usr/bin/wasmedge", "/usr/local/bin/wasmedge"},
	"wasmer":           {"/usr/bin/wasmer", "/usr/local/bin/wasmer"},
	"node":             {"/usr/bin/node", "/usr/local/bin/node"},
	"ollama":           {"/usr/bin/ollama", "/usr/local/bin/ollama"},
	"flatpak":          {"/usr/bin/flatpak"},
	"snap":             {"/run/snapd.socket", "/usr/bin/snap"},
}

// versionFiles hold a version, the first group of the pattern.
var versionFiles = []struct {
	name, file string
	pattern    *regexp.Regexp
}{
	{"cuda", "/usr/local/cuda/version.json", regexp.MustCompile(`"cuda"\s*:\s*\{[^}]*"version"\s*:\s*"([\d.]+)"`)},
	{"cuda", "/usr/local/cuda/version.txt", regexp.MustCompile(`CUDA Version ([\d.]+)`)},
	{"rocm", "/opt/rocm/.info/version", regexp.MustCompile(`^([\d.]+)`)},
	{"go", "/usr/local/go/VERSION", regexp.MustCompile(`^go([\d.]+)`)},
	{"go", "/usr/lib/go/VERSION", regexp.MustCompile(`^go([\d.]+)`)},
	{"node", "/usr/include/node/node_version.h", regexp.MustCompile(`(?s)MAJOR_VERSION (\d+)`)},
}

func probeRuntimes(p *Pass) error {
	found := map[string]bool{}
	versioned := func(name, version string, e Evidence) {
		if version = Slug(version); version != "" && !found[name] {
			found[name] = true
			p.Value("software.runtime."+name, version, e)
		}
	}
	for _, v := range versionFiles {
		e, err := p.Read(v.file)
		p.Doubt("software.runtime."+v.name, err)
		if m := v.pattern.FindStringSubmatch(e.Raw); m != nil {
			versioned(v.name, m[1], e.With(m[0]))
		}
	}
	python(p, versioned)
	for _, dir := range p.Names("/usr/lib/jvm") {
		e, err := p.Read("/usr/lib/jvm/" + dir + "/release")
		if m := javaVersion.FindStringSubmatch(e.Raw); err == nil && m != nil {
			versioned("java", m[1], e.With(m[0]))
		}
	}
	for _, dir := range []string{"/usr/share/dotnet", "/usr/lib/dotnet"} {
		dir += "/shared/Microsoft.NETCore.App"
		if all := p.Names(dir); len(all) > 0 {
			versioned("dotnet", all[len(all)-1], Evidence{Path: dir, Raw: strings.Join(all, " ")})
		}
	}
	for name, marks := range engines {
		for _, mark := range marks {
			if !found[name] && p.Exists(mark) {
				found[name] = true
				p.Tag("software.runtime."+name, Evidence{Path: mark})
			}
		}
	}
	frameworks(p)
	return nil
}

var (
	javaVersion   = regexp.MustCompile(`JAVA_VERSION="([\w.+-]+)"`)
	pythonProgram = regexp.MustCompile(`^python(\d\.\d+)$`)
	pythonLibrary = regexp.MustCompile(`^python\d(\.\d+)?$`)
	distribution  = regexp.MustCompile(`^(torch|tensorflow|onnxruntime|onnxruntime_gpu|tflite_runtime|ai_edge_litert|jax|` +
		`openvino|tensorrt|vllm|opencv_python|numpy)-([\w.+]+)\.(?:dist|egg)-info$`)
	tensorRT = regexp.MustCompile(`^libnvinfer\.so\.(\d+\.\d+[.\d]*)$`)
)

// python tells the version by the programs' names, which distributions give them.
func python(p *Pass, versioned func(string, string, Evidence)) {
	for _, program := range []string{"/usr/local/bin/python3", "/usr/bin/python3"} {
		if m := pythonProgram.FindStringSubmatch(p.Link(program)); m != nil {
			versioned("python", m[1], Evidence{Path: program, Raw: p.Link(program)})
		}
	}
}

var frameworkNames = map[string]string{"torch": "pytorch", "onnxruntime_gpu": "onnxruntime", "opencv_python": "opencv",
	"tflite_runtime": "tflite", "ai_edge_litert": "tflite"}

func frameworks(p *Pass) {
	found := map[string]bool{}
	state := func(name, version string, e Evidence) {
		if !found[name] {
			found[name] = true
			p.Value("software.framework."+name, version, e)
		}
	}
	for _, lib := range []string{"/usr/local/lib", "/usr/lib"} {
		for _, version := range p.Names(lib) {
			if !pythonLibrary.MatchString(version) {
				continue
			}
			for _, packages := range []string{"dist-packages", "site-packages"} {
				dir := path.Join(lib, version, packages)
				for _, name := range p.Names(dir) {
					if m := distribution.FindStringSubmatch(name); m != nil {
						known := m[1]
						if other, ok := frameworkNames[known]; ok {
							known = other
						}
						state(known, m[2], Evidence{Path: path.Join(dir, name), Raw: name})
					}
				}
			}
		}
	}
	for _, dir := range []string{"/usr/lib/aarch64-linux-gnu", "/usr/lib/x86_64-linux-gnu"} {
		if !p.Exists(dir + "/libnvinfer.so") {
			continue
		}
		for _, name := range p.Names(dir) {
			if m := tensorRT.FindStringSubmatch(name); m != nil {
				state("tensorrt", m[1], Evidence{Path: path.Join(dir, name), Raw: name})
			}
		}
	}
}
