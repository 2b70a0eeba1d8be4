// The right to ask for a cluster's credentials and state, in the resource group and subscription where the cluster lives.
param clusterName string
param identityId string
param principalId string

// Azure Kubernetes Service Cluster User Role: managedClusters/read and listClusterUserCredential/action, which is what is called.
// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/containers#azure-kubernetes-service-cluster-user-role
var clusterUser = '4abbcc35-e782-43d8-92c5-2d3f1bd2253f'

resource cluster 'Microsoft.ContainerService/managedClusters@2026-08-01' existing = {
  name: clusterName
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(cluster.id, identityId, clusterUser)
  scope: cluster
  properties: {
    principalId: principalId
    // A new identity is not known everywhere at once: named as what it is, it is not looked up.
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', clusterUser)
    description: 'aks-reboot-scheduler: credentials and state of the cluster'
  }
}
