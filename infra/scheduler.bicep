// The scheduler in a resource group that is there already:
//   az deployment group create --resource-group GROUP --parameters infra/my.bicepparam
// where my.bicepparam is a copy of main.bicepparam that uses 'scheduler.bicep', without environmentName and resourceGroupName.
import { AlertLimits, Cluster, clusterIdOf, Network, Settings, SignIn, withoutSecrets } from 'parameters.bicep'

param location string = resourceGroup().location
param tags object = {}

@minLength(1)
param clusters Cluster[]

param settings Settings

@allowed([512, 2048, 4096])
param instanceMemoryMB int = 512

param network Network?
param workspaceId string?
param actionGroupId string?
param alertEmails string[] = []
param alertLimits AlertLimits = {}
param signIn SignIn?

// Storage accounts and function apps share one name space with everybody's.
var token = uniqueString(resourceGroup().id)
var tableName = settings.?STATE_TABLE ?? 'reboots'
// Private endpoints have a subnet: with them storage has no other way in.
var privateStorage = (network.?privateStorage ?? false) || network.?endpointSubnetId != null

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-reboots-${token}'
  location: location
  tags: tags
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    location: location
    tags: tags
    token: token
    workspaceId: workspaceId
    actionGroupId: actionGroupId
    alertEmails: alertEmails
    identityId: identity.id
    principalId: identity.properties.principalId
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    location: location
    tags: tags
    token: token
    workspaceId: monitoring.outputs.workspaceId
    componentId: monitoring.outputs.componentId
    actionGroupId: monitoring.outputs.actionGroupId
    limits: alertLimits
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  params: {
    location: location
    tags: tags
    token: token
    workspaceId: monitoring.outputs.workspaceId
    componentId: monitoring.outputs.componentId
  }
}

module integration 'modules/network.bicep' = if (network.?kind == 'new') {
  name: 'network'
  params: {
    location: location
    tags: tags
    token: token
    addressPrefix: network.?addressPrefix ?? ''
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    location: location
    tags: tags
    token: token
    tableName: tableName
    publicAccess: !privateStorage
    identityId: identity.id
    principalId: identity.properties.principalId
  }
}

module endpoints 'modules/storage-endpoints.bicep' = if (privateStorage) {
  name: 'storage-endpoints'
  params: {
    location: location
    tags: tags
    accountId: storage.outputs.accountId
    accountName: storage.outputs.accountName
    subnetId: network.?endpointSubnetId ?? integration.?outputs.endpointSubnetId ?? ''
    dnsZoneIds: network.?dnsZoneIds
  }
}

module access 'modules/cluster-access.bicep' = [
  for each in clusters: {
    // A cluster that is listed twice, in whatever case, is refused.
    name: 'cluster-access-${uniqueString(toLower(each.id))}'
    scope: resourceGroup(split(clusterIdOf(each.id), '/')[2], split(each.id, '/')[4])
    params: {
      clusterName: last(split(each.id, '/'))
      identityId: identity.id
      principalId: identity.properties.principalId
    }
  }
]

module app 'modules/app.bicep' = {
  name: 'app'
  params: {
    location: location
    tags: tags
    token: token
    clusters: clusters
    settings: withoutSecrets(settings)
    instanceMemoryMB: instanceMemoryMB
    subnetId: network.?appSubnetId ?? integration.?outputs.appSubnetId
    identityId: identity.id
    identityClientId: identity.properties.clientId
    accountName: storage.outputs.accountName
    containerName: storage.outputs.containerName
    insightsConnectionString: monitoring.outputs.connectionString
    signIn: signIn
  }
  // The app starts when it is made: by then it has its rights and its way to the storage.
  dependsOn: [endpoints, access]
}

@description('To be bound in every cluster: infra/cluster/scheduler-identity.yaml')
output schedulerObjectId string = identity.properties.principalId
output functionAppName string = app.outputs.name
output statusUrl string = 'https://${app.outputs.hostName}/api/status'
@description('The name by which this scheduler owns clusters.')
output ownerName string = '${storage.outputs.accountName}.table.${environment().suffixes.storage}/${tableName}'
@description('Where requests to clusters come from; empty where that is not fixed by this deployment.')
output outboundAddress string = integration.?outputs.outboundAddress ?? ''
output nextSteps string[] = [
  'Publish the app (azd up has done it): npm ci && npm run package && az functionapp deployment source config-zip --resource-group ${resourceGroup().name} --name ${app.outputs.name} --src aks-reboot-scheduler.zip'
  'Write objectId ${identity.properties.principalId} into infra/cluster/scheduler-identity.yaml and apply it to every cluster: kubectl apply -k infra/cluster'
  'Get the key of the status page: az functionapp function keys list --resource-group ${resourceGroup().name} --name ${app.outputs.name} --function-name status --query default --output tsv'
  'Open the status page: https://${app.outputs.hostName}/api/status?code=KEY'
]
