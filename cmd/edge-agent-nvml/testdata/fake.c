/* A library with the names of NVIDIA's and no GPU behind it. What it lacks or does wrong is chosen when it is compiled. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6 };

#ifndef INIT
#define INIT SUCCESS
#endif
#ifndef COUNT
#define COUNT 2
#endif
#ifndef MEMORY
#define MEMORY SUCCESS
#endif
#ifndef NAME
#define NAME "NVIDIA Fake"
#endif

typedef struct { char legacy[16]; uint32_t domain, bus, device, id, subsystem; char text[32]; } pci;
typedef struct { uint64_t total, free, used; } memory;
typedef struct { uint32_t version; uint64_t total, reserved, free, used; } memory2;
typedef struct { uint32_t gpu, memory; } rates;
typedef struct { uint32_t units, copy, decoders, encoders, jpeg, ofa, gi, ci; uint64_t mib; } attributes;

static char devices[64], slice;

static int is_slice(void *d) { return d == &slice; }

#ifndef NOINIT
int nvmlInit_v2(void) { return INIT; }
#endif
int nvmlShutdown(void) { return SUCCESS; }
int nvmlSystemGetDriverVersion(char *s, unsigned n) { snprintf(s, n, "550.54.15"); return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = COUNT; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) {
	if (i >= sizeof devices) return INVALID_ARGUMENT;
	*d = &devices[i];
	return SUCCESS;
}
int nvmlDeviceGetName(void *d, char *s, unsigned n) {
#ifdef HANG
	for (;;) pause();
#endif
	snprintf(s, n, "%s%s", NAME, is_slice(d) ? " MIG 1g.5gb" : "");
	return SUCCESS;
}
int nvmlDeviceGetUUID(void *d, char *s, unsigned n) {
	snprintf(s, n, is_slice(d) ? "MIG-0" : "GPU-%d", (int)((char *)d - devices));
	return SUCCESS;
}
int nvmlDeviceGetMemoryInfo(void *d, memory *m) {
	*m = (memory){8ull << 30, 6ull << 30, 2ull << 30};
	return MEMORY;
}
int nvmlDeviceGetTemperature(void *d, int sensor, unsigned *t) { *t = 41; return SUCCESS; }

#ifndef OLD
int nvmlSystemGetCudaDriverVersion(int *v) { *v = 12040; return SUCCESS; }
int nvmlDeviceGetPciInfo_v3(void *d, pci *p) {
	memset(p, 0, sizeof *p);
	p->bus = 1 + (char *)d - devices;
	return SUCCESS;
}
int nvmlDeviceGetMemoryInfo_v2(void *d, memory2 *m) {
	if (is_slice(d)) *m = (memory2){m->version, 4864ull << 20, 0, 4800ull << 20, 64ull << 20};
	else *m = (memory2){m->version, 8ull << 30, 1ull << 30, 5ull << 30, 2ull << 30};
	return MEMORY;
}
int nvmlDeviceGetCudaComputeCapability(void *d, int *major, int *minor) { *major = 8; *minor = 6; return SUCCESS; }
int nvmlDeviceGetArchitecture(void *d, unsigned *a) { *a = 7; return SUCCESS; }
int nvmlDeviceGetNumGpuCores(void *d, unsigned *n) { *n = 3584; return SUCCESS; }
int nvmlDeviceGetEnforcedPowerLimit(void *d, unsigned *mw) { *mw = 170000; return SUCCESS; }
int nvmlDeviceGetPowerUsage(void *d, unsigned *mw) { *mw = 30000; return SUCCESS; }
int nvmlDeviceGetUtilizationRates(void *d, rates *r) { *r = (rates){37, 5}; return SUCCESS; }
int nvmlDeviceGetEccMode(void *d, unsigned *now, unsigned *then) { return NOT_SUPPORTED; }
int nvmlDeviceGetMigMode(void *d, unsigned *now, unsigned *then) { *now = *then = d == devices; return SUCCESS; }
int nvmlDeviceGetMaxMigDeviceCount(void *d, unsigned *n) { *n = 7; return SUCCESS; }
int nvmlDeviceGetMigDeviceHandleByIndex(void *d, unsigned i, void **m) {
	if (i != 3) return NOT_FOUND;
	*m = &slice;
	return SUCCESS;
}
int nvmlDeviceGetAttributes_v2(void *d, attributes *a) {
	*a = (attributes){.units = 14, .gi = 1, .ci = 1, .mib = 4864};
	return SUCCESS;
}
#endif
