// A real kube-apiserver for tests/cluster, and nothing of its own: upstream's command, run.
//
// Built, so that the hashes in go.sum are all that is trusted, and no cluster, container engine or
// download of binaries is needed. The replace lines in go.mod name what upstream calls staging
// modules: they are published beside each release, at v0 with its minor and patch version.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
