// The scheduler in a resource group of its own:
//   az deployment sub create --location REGION --parameters infra/main.bicepparam
// For a resource group that is there already: scheduler.bicep.
targetScope = 'subscription'

import { AlertLimits, Cluster, Network, Settings, SignIn } from 'parameters.bicep'

@description('Region of everything. One that offers Flex Consumption: az functionapp list-flexconsumption-locations')
param location string = deployment().location

@description('Name of the environment: tells two schedulers of one subscription apart.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Name of the resource group that is made.')
@minLength(1)
@maxLength(90)
param resourceGroupName string = 'rg-${environmentName}'

@description('Tags of every resource.')
param tags object = {}

@description('The clusters. The deployer must be allowed to assign roles on each.')
@minLength(1)
param clusters Cluster[]

@description('App settings.')
param settings Settings

@description('Memory of an instance.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 512

@description('Virtual network integration.')
param network Network?

@description('Resource id of a Log Analytics workspace that is there already.')
param workspaceId string?

@description('Resource id of an action group that is there already.')
param actionGroupId string?

@description('Who is told by mail of an alert, where no action group is there already.')
param alertEmails string[] = []

@description('What alerts take for too long.')
param alertLimits AlertLimits = {}

@description('Entra sign-in before the pages.')
param signIn SignIn?

var allTags = union(tags, { 'azd-env-name': environmentName })

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: resourceGroupName
  location: location
  tags: allTags
}

module scheduler 'scheduler.bicep' = {
  name: 'aks-reboot-scheduler'
  scope: group
  params: {
    location: location
    tags: allTags
    clusters: clusters
    settings: settings
    instanceMemoryMB: instanceMemoryMB
    network: network
    workspaceId: workspaceId
    actionGroupId: actionGroupId
    alertEmails: alertEmails
    alertLimits: alertLimits
    signIn: signIn
  }
}

@description('To be bound in every cluster: infra/cluster/scheduler-identity.yaml')
output schedulerObjectId string = scheduler.outputs.schedulerObjectId
output resourceGroupName string = group.name
output functionAppName string = scheduler.outputs.functionAppName
output statusUrl string = scheduler.outputs.statusUrl
@description('The name by which this scheduler owns clusters.')
output ownerName string = scheduler.outputs.ownerName
@description('Where requests to clusters come from; empty where that is not fixed by this deployment.')
output outboundAddress string = scheduler.outputs.outboundAddress
output nextSteps string[] = scheduler.outputs.nextSteps
