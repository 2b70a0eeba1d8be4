// Where the journal goes, and who is told.
param location string
param tags object
param token string
param workspaceId string?
param actionGroupId string?
param alertEmails string[]
param identityId string
param principalId string

// https://learn.microsoft.com/azure/azure-monitor/app/azure-ad-authentication
var metricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = if (workspaceId == null) {
  name: 'log-reboots-${token}'
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: 30
    features: { disableLocalAuth: true }
  }
}

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-reboots-${token}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspaceId ?? workspace.id
    IngestionMode: 'LogAnalytics'
    DisableLocalAuth: true
  }
}

resource publisher 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(component.id, identityId, metricsPublisher)
  scope: component
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', metricsPublisher)
    description: 'aks-reboot-scheduler: journal and telemetry'
  }
}

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = if (actionGroupId == null) {
  name: 'ag-reboots-${token}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'aks-reboots'
    emailReceivers: [
      for address in alertEmails: {
        name: address
        emailAddress: address
        useCommonAlertSchema: true
      }
    ]
  }
}

output workspaceId string = workspaceId ?? workspace.id
output componentId string = component.id
output connectionString string = component.properties.ConnectionString
output actionGroupId string = actionGroupId ?? actionGroup.id
