// Package kubernetes reads deploy/kubernetes as the API server does: every member
// must be one that its kind has. It is a module of its own, so that Kubernetes'
// types are nobody's dependency.
package kubernetes

import (
	"bytes"
	"os"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const manifest = "../../../deploy/kubernetes/sluice.yaml"

// kinds is what the manifest may hold, each as a value of its type.
func kinds() map[string]any {
	return map[string]any{
		"v1/Service":                    &corev1.Service{},
		"apps/v1/StatefulSet":           &appsv1.StatefulSet{},
		"policy/v1/PodDisruptionBudget": &policyv1.PodDisruptionBudget{},
	}
}

func TestManifest(t *testing.T) {
	data, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	for i, document := range bytes.Split(data, []byte("\n---\n")) {
		var meta metav1.TypeMeta
		if err := yaml.Unmarshal(document, &meta); err != nil {
			t.Fatalf("document %d: %v", i+1, err)
		}
		object, known := kinds()[meta.APIVersion+"/"+meta.Kind]
		if !known {
			t.Fatalf("document %d is a %s/%s", i+1, meta.APIVersion, meta.Kind)
		}
		if err := yaml.UnmarshalStrict(document, object); err != nil {
			t.Errorf("document %d: %v", i+1, err)
		}
		if set, ok := object.(*appsv1.StatefulSet); ok {
			checkSet(t, set)
		}
	}
}

// checkSet looks at what decoding cannot see: names that must fit one another.
func checkSet(t *testing.T, set *appsv1.StatefulSet) {
	t.Helper()
	for name, value := range set.Spec.Selector.MatchLabels {
		if set.Spec.Template.Labels[name] != value {
			t.Errorf("the selector wants %s=%s, the pods have %v", name, value, set.Spec.Template.Labels)
		}
	}
	volumes := map[string]bool{}
	for _, claim := range set.Spec.VolumeClaimTemplates {
		volumes[claim.Name] = true
	}
	pod := &set.Spec.Template.Spec
	for _, volume := range pod.Volumes {
		volumes[volume.Name] = true
	}
	for _, container := range pod.Containers {
		for _, mount := range container.VolumeMounts {
			if !volumes[mount.Name] {
				t.Errorf("%s mounts %q, which there is not", container.Name, mount.Name)
			}
		}
		ports := map[string]bool{}
		for _, port := range container.Ports {
			ports[port.Name] = true
		}
		for _, probe := range []*corev1.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
			if probe != nil && !ports[probe.HTTPGet.Port.String()] {
				t.Errorf("%s is asked at port %q, which it has not", container.Name, probe.HTTPGet.Port.String())
			}
		}
	}
}
