package probe

import "testing"

func TestRuntimes(t *testing.T) {
	wantTags(t, runtimesSubject(), machine{
		"/run/docker.sock":                                      "",
		"/usr/bin/nvidia-ctk":                                   "",
		"/usr/bin/python3":                                      "-> python3.11",
		"/usr/bin/python3.11":                                   "",
		"/usr/local/cuda":                                       "-> cuda-12.4",
		"/usr/local/cuda-12.4/version.json":                     `{"cuda" : {"name" : "CUDA SDK", "version" : "12.4.1"}}`,
		"/opt/rocm/.info/version":                               "6.0.2-115\n",
		"/usr/lib/jvm/java-17/release":                          "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"17.0.9\"\n",
		"/usr/local/go/VERSION":                                 "go1.26.1\ntime x\n",
		"/usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1/": "",
		"/usr/local/lib/python3.11/dist-packages/torch-2.1.0+cu121.dist-info/": "",
		"/usr/lib/python3/dist-packages/numpy-1.24.2.egg-info/":                "",
	}, `
		software.runtime.docker software.runtime.nvidia_container software.runtime.python=3.11
		software.runtime.cuda=12.4.1 software.runtime.rocm=6.0.2 software.runtime.java=17.0.9 software.runtime.go=1.26.1
		software.runtime.dotnet=8.0.1 software.framework.pytorch=2.1.0+cu121 software.framework.numpy=1.24.2`)
}

func TestAMachineWithoutRuntimesHasNone(t *testing.T) {
	wantTags(t, runtimesSubject(), machine{"/usr/bin/ls": "", "/usr/local/cuda/version.json": "{garbage"}, "")
}
