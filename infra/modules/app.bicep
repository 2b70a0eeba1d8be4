// The function app on a Flex Consumption plan.
import { Cluster, Settings, SignIn } from '../parameters.bicep'

param location string
param tags object
param token string
param clusters Cluster[]
param settings Settings
param instanceMemoryMB int
param subnetId string?
param identityId string
param identityClientId string
param accountName string
param containerName string
param insightsConnectionString string
param signIn SignIn?

var storageSuffix = environment().suffixes.storage
// App Service signs in at Entra as the identity, so that the app registration needs no secret.
// https://learn.microsoft.com/azure/app-service/configure-authentication-provider-aad#use-a-managed-identity-instead-of-a-secret-preview
var signInSecretSetting = 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'

var connections = [
  { name: 'AzureWebJobsStorage__credential', value: 'managedidentity' }
  { name: 'AzureWebJobsStorage__clientId', value: identityClientId }
  { name: 'AzureWebJobsStorage__blobServiceUri', value: 'https://${accountName}.blob.${storageSuffix}' }
  { name: 'AzureWebJobsStorage__tableServiceUri', value: 'https://${accountName}.table.${storageSuffix}' }
  { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: insightsConnectionString }
  { name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING', value: 'ClientId=${identityClientId};Authorization=AAD' }
  { name: 'AZURE_RESOURCE_MANAGER_URL', value: environment().resourceManager }
]

var clusterEntries = [for each in clusters: each.?name == null ? each.id : '${each.?name}=${each.id}']

// Set and empty is an error to the app: what was left out is left out.
var given = filter(items(settings), item => item.value != null)

var signInClientId = signIn.?clientId ?? ''
var entra = {
  platform: { enabled: true }
  globalValidation: {
    requireAuthentication: true
    unauthenticatedClientAction: 'RedirectToLoginPage'
    redirectToProvider: 'azureactivedirectory'
    excludedPaths: ['/api/metrics']
  }
  httpSettings: { requireHttps: true }
  login: { tokenStore: { enabled: false } }
  identityProviders: {
    azureActiveDirectory: {
      enabled: true
      registration: {
        openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        clientId: signInClientId
        clientSecretSettingName: signInSecretSetting
      }
      validation: {
        allowedAudiences: [signInClientId, 'api://${signInClientId}']
        defaultAuthorizationPolicy: { allowedPrincipals: { groups: signIn.?allowedGroupIds } }
      }
    }
  }
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'plan-reboots-${token}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: 'func-reboots-${token}'
  location: location
  // By the second one azd finds where to publish.
  tags: union(tags, { 'azd-service-name': 'scheduler' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: subnetId
    keyVaultReferenceIdentity: identityId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: 'https://${accountName}.blob.${storageSuffix}/${containerName}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'node'
        version: '24'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        // The least that there is. The timer runs on one of them whatever this says.
        maximumInstanceCount: 40
      }
    }
    siteConfig: {
      appSettings: concat(
        connections,
        [{ name: 'CLUSTERS', value: join(clusterEntries, ';') }],
        map(given, item => { name: item.key, value: string(item.value) }),
        signIn == null ? [] : [{ name: signInSecretSetting, value: identityClientId }]
      )
    }
  }

  // Publishing is by Entra tokens alone.
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }

  // Also without sign-in: a deployment that only left it out would leave it on.
  resource authentication 'config' = {
    name: 'authsettingsV2'
    properties: signIn == null ? { platform: { enabled: false } } : entra
  }
}

output name string = app.name
output hostName string = app.properties.defaultHostName
