// The account of the app: the table, the package that it runs from, and what the Functions host keeps.
param location string
param tags object
param token string
param tableName string
param publicAccess bool
param identityId string
param principalId string

var containerName = 'app-package'

// On the account and not on the table: whoever deletes the table, the app makes it anew. Nothing in the account is anybody else's.
var roles = [
  {
    // What the Functions host is documented to need for AzureWebJobsStorage: leases, keys, and containers that it makes itself.
    // https://learn.microsoft.com/azure/azure-functions/functions-reference#connecting-to-host-storage-with-an-identity
    id: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
    name: 'Storage Blob Data Owner'
  }
  {
    id: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
    name: 'Storage Table Data Contributor'
  }
]

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: 'streboots${token}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    networkAcls: {
      defaultAction: publicAccess ? 'Allow' : 'Deny'
      bypass: 'None'
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource container 'containers' = {
      name: containerName
    }
  }

  resource tables 'tableServices' = {
    name: 'default'

    resource table 'tables' = {
      name: tableName
    }
  }
}

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in roles: {
    name: guid(account.id, identityId, role.id)
    scope: account
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.id)
      description: 'aks-reboot-scheduler: ${role.name}'
    }
  }
]

output accountId string = account.id
output accountName string = account.name
output containerName string = containerName
